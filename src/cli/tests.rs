//! The layers under the flags, without a process around them.

use clap::ArgAction;
use proptest::prelude::*;

use super::layers::Layers;
use super::*;

fn run() -> clap::Command {
    command().find_subcommand(RUN).cloned().unwrap()
}

#[test]
fn the_command_line_is_consistent() {
    command().debug_assert();
}

#[test]
fn every_option_of_run_explains_itself_and_has_a_long_name() {
    for arg in run().get_arguments() {
        assert!(arg.get_long().is_some() && arg.get_help().is_some(), "{}", arg.get_id());
        assert_eq!(arg.get_long().map(str::to_owned), Some(arg.get_id().as_str().replace('_', "-")));
        let takes_list = matches!(arg.get_action(), ArgAction::Append);
        assert_eq!(takes_list, arg.get_value_delimiter().is_some(), "{}: lists repeat and take commas", arg.get_id());
    }
}

#[test]
fn a_list_in_the_file_sets_a_repeatable_option() {
    let text = "muxers = ['mplex', 'yamux']\nmetrics = true\nport = 9100\nboot-nodes = []\n";
    let layers = Layers::new(run()).file("x.toml".as_ref(), text).unwrap();
    let matches = layers.finish().0.no_binary_name(true).try_get_matches_from([""; 0]).unwrap();
    let muxers: Vec<_> =
        matches.get_many::<crate::types::Muxer>("muxers").unwrap().map(|muxer| muxer.as_str()).collect();
    assert_eq!(muxers, ["mplex", "yamux"]);
    assert_eq!((matches.get_one("metrics"), matches.get_one("port")), (Some(&true), Some(&9100_u16)));
}

fn refused(text: &str) -> String {
    Layers::new(run()).file("x.toml".as_ref(), text).err().unwrap().to_string()
}

#[test]
fn a_mistake_in_the_file_names_file_and_key() {
    let cases = [
        ("prot = 1", "x.toml: unknown key \"prot\"; did you mean port?"),
        ("bootnodes = []", "x.toml: unknown key \"bootnodes\"; did you mean boot-nodes?"),
        ("config = 'y'", "x.toml: unknown key \"config\"; "),
        ("zzz = 1", "x.toml: unknown key \"zzz\"; keys are the long options of run"),
        ("port = 1\nport 2", "x.toml: line 2: "),
        ("port = 99999", "x.toml: port: invalid value '99999' for '--port <PORT>': "),
        ("port = [1, 2]", "x.toml: port: takes one value, not a list"),
        ("port = 1.5", "x.toml: port: invalid value '1.5' for '--port <PORT>': "),
        ("port = 1979-05-27", "x.toml: port: expected text, a number, true or false, or a list of them"),
        ("[port]\nx = 1", "x.toml: port: expected text, a number, true or false, or a list of them"),
        ("metrics = 'perhaps'", "x.toml: metrics: invalid value 'perhaps'"),
        ("network-dir = ''", "x.toml: network-dir: a value is required for '--network-dir <DIR>'"),
    ];
    for (text, expected) in cases {
        let message = refused(text);
        assert!(message.starts_with(expected), "{text}: {message}");
        assert!(!message.contains('\n'));
    }
}

#[test]
fn the_environment_overrules_the_file_and_an_empty_variable_is_none() {
    let env = |name: &str| match name {
        "BEACOND_PORT" => Some(OsString::from("2")),
        "BEACOND_TARGET_PEERS" => Some(OsString::new()),
        _ => None,
    };
    let layers = Layers::new(run()).file("x.toml".as_ref(), "port = 1\ntarget-peers = 3").unwrap();
    let command = layers.environment(&env).unwrap().finish().0.no_binary_name(true);
    let matches = command.clone().try_get_matches_from([""; 0]).unwrap();
    assert_eq!((matches.get_one("port"), matches.get_one("target_peers")), (Some(&2_u16), Some(&3_usize)));
    let matches = command.try_get_matches_from(["--port", "7"]).unwrap();
    assert_eq!(matches.get_one("port"), Some(&7_u16));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_file_of_arbitrary_text_never_panics(text in ".{0,200}") {
        let _ = Layers::new(run()).file("x.toml".as_ref(), &text);
    }

    #[test]
    fn keys_with_arbitrary_values_never_panic(
        key in "port|muxers|metrics|network-dir|listen-address|[a-z=-]{0,8}",
        value in r#""[^"\\\p{Cc}]{0,12}"|-?[0-9]{1,18}|true|\[1, "a,b"\]|\{ a = 1 \}|1979-05-27|\[\[\]\]"#,
    ) {
        let _ = Layers::new(run()).file("x.toml".as_ref(), &format!("{key:?} = {value}"));
    }
}
