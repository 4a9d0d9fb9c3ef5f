//! The book against damage, killed processes and full queues; real files, real processes, no clock to wait for.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::store::Identity;
use crate::types::{Client, Enr, EnrBytes};

/// An entry of the usual size: a record with every field and two addresses.
fn entry(last_seen_s: u64) -> BookEntry {
    let identity = Identity::generate();
    let mut enr = Enr::builder();
    enr.ip4([203, 0, 113, 7].into()).tcp4(9000).udp4(9000).add_value("quic", &9001_u16);
    enr.add_value("attnets", &[0_u8; 8]).add_value("eth2", &[7_u8; 16]).add_value("cgc", &4_u64);
    enr.add_value("nfd", &[7_u8; 4]).add_value("syncnets", &[0_u8; 1]);
    BookEntry {
        addresses: ["/ip4/203.0.113.7/udp/9001/quic-v1", "/ip4/203.0.113.7/tcp/9000"]
            .map(|address| address.parse().unwrap())
            .to_vec(),
        enr: Some(EnrBytes::from(&enr.build(&identity.enr_key).unwrap())),
        last_success_s: Some(last_seen_s),
        score: 12.5,
        client: Client::Teku,
        ..BookEntry::new(identity.peer_id, last_seen_s)
    }
}

fn keep(dir: &Path, entries: &[BookEntry]) {
    let (book, _) = PeerBook::open(dir).unwrap();
    entries.iter().cloned().for_each(|entry| book.note(entry));
    assert!(book.close());
}

fn reopened(dir: &Path) -> Vec<BookEntry> {
    let (book, entries) = PeerBook::open(dir).unwrap();
    assert!(book.close());
    entries
}

fn set_aside(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("peers.redb.corrupt-")).collect()
}

#[test]
fn entries_outlive_the_process_with_the_best_first() {
    let (dir, now_s) = (tempfile::tempdir().unwrap(), unix_now_s());
    let (good, better) = (entry(now_s - 10), entry(now_s - 5));
    let banned = BookEntry { banned_until_s: Some(now_s + 1000), ..entry(now_s) };
    keep(dir.path(), &[good.clone(), banned.clone(), better.clone()]);
    assert_eq!(reopened(dir.path()), [better, good, banned]);
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(dir.path().join(FILE)).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn the_last_note_of_a_peer_wins() {
    let (dir, now_s) = (tempfile::tempdir().unwrap(), unix_now_s());
    let notes: Vec<_> = (0..100).map(|n| BookEntry { score: f64::from(n), ..entry(now_s) }).collect();
    let peer_id = notes[0].peer_id;
    let notes: Vec<_> = notes.into_iter().map(|note| BookEntry { peer_id, ..note }).collect();
    keep(dir.path(), &notes);
    assert_eq!(reopened(dir.path()), [notes[99].clone()]);
}

#[test]
fn a_full_book_loses_whom_it_saw_longest_ago_and_nobody_stays_for_ever() {
    let (dir, now_s) = (tempfile::tempdir().unwrap(), unix_now_s());
    let bounds = Bounds { entries: 160, life_s: 1000 };
    let open = || PeerBook::open_within(dir.path(), bounds).unwrap();
    let entries: Vec<_> = (0..161).map(|n| entry(now_s - 800 + n)).collect();
    let (book, _) = open();
    entries.iter().cloned().for_each(|entry| book.note(entry));
    assert!(book.close());
    let (book, kept) = open();
    // one too many, and a sixteenth to spare
    assert_eq!(kept, entries[11..].iter().rev().cloned().collect::<Vec<_>>());
    book.note(entry(now_s - 1100));
    let ahead = entry(now_s + 1_000_000);
    book.note(ahead.clone());
    assert!(book.close());
    let (_book, kept) = open();
    assert_eq!(kept.len(), 151);
    let back = kept.iter().find(|entry| entry.peer_id == ahead.peer_id).unwrap();
    assert!(back.last_seen_s < now_s + 1000, "a clock that was ahead gives nobody a longer life");
}

#[test]
fn a_record_of_a_full_book_takes_less_than_a_kilobyte() {
    let (dir, now_s) = (tempfile::tempdir().unwrap(), unix_now_s());
    let template = entry(now_s);
    let (book, _) = PeerBook::open(dir.path()).unwrap();
    for batch in 0..20 {
        for _ in 0..BOUNDS.entries / 20 {
            book.note(BookEntry { peer_id: Identity::generate().peer_id, ..template.clone() });
        }
        assert!(book.flush(), "batch {batch}");
    }
    assert!(book.close());
    let size = usize::try_from(fs::metadata(dir.path().join(FILE)).unwrap().len()).unwrap();
    let per_entry = size / BOUNDS.entries;
    eprintln!("{size} bytes, {per_entry} per entry");
    assert!(per_entry < 1024, "{per_entry}");
    assert_eq!(reopened(dir.path()).len(), BOUNDS.entries);
}

#[test]
fn a_killed_process_loses_no_batch_that_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut round = 0;
    for _ in 0..12 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::peer_book::tests::writes_until_it_is_killed", "--nocapture"])
            .env(CHILD, format!("{}:{round}", dir.path().display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let reports = lines.map(Result::unwrap).filter_map(|line| line.strip_prefix("written ")?.parse().ok());
        // the next batch is on its way when this one is reported
        let reported: u64 = reports.take(rng.random_range(1..20)).last().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let entries = reopened(dir.path());
        assert_eq!(entries.len(), ROUND);
        round = entries[0].banned_until_s.unwrap();
        assert!(round >= reported, "{round} {reported}");
        assert!(entries.iter().all(|entry| entry.banned_until_s == Some(round)), "a batch is whole");
    }
    assert_eq!(set_aside(dir.path()), Vec::<String>::new());
}

/// Names the directory and the first round for the process that is to be killed.
const CHILD: &str = "BEACOND_TEST_PEER_BOOK";

/// Entries of one batch.
const ROUND: usize = 64;

/// The process of the test above; by itself it does nothing.
#[test]
fn writes_until_it_is_killed() {
    let Ok(task) = std::env::var(CHILD) else { return };
    let (dir, first) = task.rsplit_once(':').unwrap();
    let (book, known) = PeerBook::open(Path::new(dir)).unwrap();
    let mut entries = known;
    entries.resize_with(ROUND, || entry(unix_now_s()));
    for round in first.parse::<u64>().unwrap() + 1.. {
        for entry in &mut entries {
            entry.banned_until_s = Some(round);
            book.note(entry.clone());
        }
        assert!(book.flush());
        println!("written {round}");
        std::io::stdout().flush().unwrap();
    }
}

/// A book of some size, as it lies on disk after an orderly end.
fn whole_book() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let now_s = unix_now_s();
    keep(dir.path(), &(0..200).map(|n| entry(now_s - n)).collect::<Vec<_>>());
    fs::read(dir.path().join(FILE)).unwrap()
}

/// Opens a damaged book twice: whatever it was, it opens, can be written, and opens again with what was written.
fn survives(content: &[u8], what: &str) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FILE), content).unwrap();
    let (book, found) = PeerBook::open(dir.path()).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(found.len() <= 200, "{what}");
    let aside = set_aside(dir.path());
    assert!(aside.len() <= 1, "{what}");
    if let [name] = &aside[..] {
        assert_eq!(fs::read(dir.path().join(name)).unwrap().len(), content.len(), "{what}: the evidence is kept");
    }
    let new = entry(unix_now_s());
    book.note(new.clone());
    assert!(book.close(), "{what}");
    assert!(reopened(dir.path()).contains(&new), "{what}");
    assert_eq!(set_aside(dir.path()), aside, "{what}: opens without loss");
}

#[test]
fn random_bytes_at_random_places_never_keep_the_node_from_starting() {
    let whole = whole_book();
    for seed in 0..120 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut damaged = whole.clone();
        for _ in 0..rng.random_range(1..4) {
            // half of them in the header, where every byte counts
            let at = if rng.random() { rng.random_range(0..512) } else { rng.random_range(0..whole.len()) };
            let end = whole.len().min(at + rng.random_range(1..64));
            rng.fill_bytes(&mut damaged[at..end]);
        }
        survives(&damaged, &format!("seed {seed}"));
    }
}

#[test]
fn truncated_and_foreign_files_never_keep_the_node_from_starting() {
    let whole = whole_book();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for length in
        [0, 1, 100, 4096, whole.len() - 1].into_iter().chain((0..20).map(|_| rng.random_range(0..whole.len())))
    {
        survives(&whole[..length], &format!("{length} bytes"));
    }
    survives(b"the operator's notes", "text");
    let mut noise = vec![0; 100_000];
    rng.fill_bytes(&mut noise);
    survives(&noise, "noise");
}

#[test]
fn one_damaged_book_is_kept_to_look_into() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("peers.redb.corrupt-1"), "an older one").unwrap();
    fs::write(dir.path().join(FILE), "the newest").unwrap();
    assert_eq!(reopened(dir.path()), []);
    let aside = set_aside(dir.path());
    assert_eq!(aside.len(), 1);
    assert_eq!(fs::read(dir.path().join(&aside[0])).unwrap(), b"the newest");
}

#[test]
fn a_directory_in_its_place_is_a_clear_error() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(FILE)).unwrap();
    let error = PeerBook::open(dir.path()).unwrap_err();
    assert!(matches!(&error, StoreError::PeerBook { path, .. } if path.ends_with(FILE)), "{error}");
    assert!(error.to_string().contains("move it away"), "{error}");
    assert!(dir.path().join(FILE).is_dir());
}

#[test]
fn what_could_not_be_written_is_kept_and_written_later() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("missing");
    let desk = Arc::<Desk>::default();
    let writer = Writer { desk: desk.clone(), path: dir.join(FILE), bounds: BOUNDS, file: None, failing: false };
    let book = PeerBook { desk, writer: Some(thread::spawn(move || writer.run())) };
    let (first, second) = (entry(unix_now_s()), entry(unix_now_s() - 1));
    book.note(first.clone());
    assert!(!book.flush());
    book.note(second.clone());
    assert!(!book.flush());
    fs::create_dir(&dir).unwrap();
    assert!(book.flush() && book.close());
    assert_eq!(reopened(&dir), [first, second]);
}

#[test]
fn a_stalled_disk_costs_bounded_memory_and_nobody_waits() {
    let book = PeerBook { desk: Arc::default(), writer: None };
    let known = BookEntry::new(PeerId::random(), 1);
    book.note(known.clone());
    for _ in 0..QUEUE {
        book.note(BookEntry::new(PeerId::random(), 1));
    }
    book.note(known);
    let waiting = book.desk.lock().entries.len();
    assert_eq!((waiting, book.dropped()), (QUEUE, 1));
}
