//! A metric family: one name, a few labels from closed sets, one value for each combination seen.
//!
//! Owns the values and how they are declared (`metric_group!`) and encoded. Written by recorders, read by a scrape;
//! it does not know what is measured. Samples come out sorted by label, so that two scrapes can be compared.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::{Registry, Unit};

/// What one family of metrics is, for registering it and for the reviewed catalogue.
#[derive(Clone, Debug)]
pub struct FamilyInfo {
    /// Name with prefix and subsystem, without unit and without `_total`.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: MetricType,
    /// Base unit, if it has one.
    pub unit: Option<Unit>,
    /// What it measures, one sentence.
    pub help: &'static str,
    /// Label names; their values come from closed sets.
    pub labels: &'static [&'static str],
}

impl FamilyInfo {
    /// The name that an operator queries; for a histogram, without `_bucket`, `_sum` or `_count`.
    #[must_use]
    pub fn full_name(&self) -> String {
        let mut name = self.name.to_owned();
        if let Some(unit) = &self.unit {
            name = format!("{name}_{}", unit.as_str());
        }
        if matches!(self.kind, MetricType::Counter) {
            name.push_str("_total");
        }
        name
    }
}

/// What a family's values are: how one is made, and in which unit it counts.
pub trait Kind: fmt::Debug + 'static {
    /// One value.
    type Metric: EncodeMetric + TypedMetric + fmt::Debug + Send + 'static;

    /// The base unit, which becomes part of the name.
    const UNIT: Option<Unit>;

    /// A value that has seen nothing.
    fn create() -> Self::Metric;
}

/// Things that happened: a counter.
#[derive(Debug)]
pub enum Counts {}

impl Kind for Counts {
    type Metric = Counter;
    const UNIT: Option<Unit> = None;

    fn create() -> Counter {
        Counter::default()
    }
}

/// How many there are now: a gauge.
#[derive(Debug)]
pub enum Levels {}

impl Kind for Levels {
    type Metric = Gauge;
    const UNIT: Option<Unit> = None;

    fn create() -> Gauge {
        Gauge::default()
    }
}

/// Durations of exchanges: a histogram of seconds, 18 buckets from 0.25 ms to 33 s, each twice the last.
#[derive(Debug)]
pub enum Seconds {}

impl Kind for Seconds {
    type Metric = Histogram;
    const UNIT: Option<Unit> = Some(Unit::Seconds);

    fn create() -> Histogram {
        Histogram::new(exponential_buckets(0.000_25, 2.0, 18))
    }
}

/// Durations of sessions: a histogram of seconds, 11 buckets from 1 s to 12 days, each four times the last.
#[derive(Debug)]
pub enum LongSeconds {}

impl Kind for LongSeconds {
    type Metric = Histogram;
    const UNIT: Option<Unit> = Some(Unit::Seconds);

    fn create() -> Histogram {
        Histogram::new(exponential_buckets(1.0, 4.0, 11))
    }
}

/// The values of one label combination each, `N` labels. Clones share them.
///
/// The lock is held for one update, or for writing out this family alone.
pub struct Series<K: Kind, const N: usize> {
    labels: [&'static str; N],
    cells: Arc<Mutex<Cells<K, N>>>,
}

type Cells<K, const N: usize> = BTreeMap<[&'static str; N], <K as Kind>::Metric>;

impl<K: Kind, const N: usize> Series<K, N> {
    /// A family that has seen nothing; without labels, its one value shows from the start.
    #[must_use]
    pub fn new(labels: [&'static str; N]) -> Self {
        let mut cells = BTreeMap::new();
        if N == 0 {
            cells.insert([""; N], K::create());
        }
        Self { labels, cells: Arc::new(Mutex::new(cells)) }
    }

    /// Makes the family part of every scrape. The help text is `info`'s.
    pub fn register(&self, registry: &mut Registry, name: &'static str, info: &FamilyInfo) {
        let help = info.help.trim_end_matches('.'); // the registry ends the sentence itself
        match K::UNIT {
            Some(unit) => registry.register_with_unit(name, help, unit, self.clone()),
            None => registry.register(name, help, self.clone()),
        }
    }

    fn update(&self, values: [&'static str; N], change: impl FnOnce(&K::Metric)) {
        change(self.lock().entry(values).or_insert_with(K::create));
    }

    fn lock(&self) -> MutexGuard<'_, Cells<K, N>> {
        // every update is one insertion or one atomic operation: a panic elsewhere leaves nothing half done
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<const N: usize> Series<Counts, N> {
    /// Counts one more. `values` in the order of the labels.
    pub fn inc(&self, values: [&'static str; N]) {
        self.inc_by(1, values);
    }

    /// Counts `more`.
    pub fn inc_by(&self, more: u64, values: [&'static str; N]) {
        self.update(values, |counter| {
            counter.inc_by(more);
        });
    }
}

impl<const N: usize> Series<Levels, N> {
    /// Sets the level.
    pub fn set(&self, level: usize, values: [&'static str; N]) {
        self.update(values, |gauge| {
            gauge.set(i64::try_from(level).unwrap_or(i64::MAX));
        });
    }

    /// Raises the level by one.
    pub fn inc(&self, values: [&'static str; N]) {
        self.update(values, |gauge| {
            gauge.inc();
        });
    }

    /// Lowers the level by one.
    pub fn dec(&self, values: [&'static str; N]) {
        self.update(values, |gauge| {
            gauge.dec();
        });
    }

    /// The sum over all label combinations.
    #[must_use]
    pub fn sum(&self) -> i64 {
        self.lock().values().map(Gauge::get).sum()
    }
}

impl<K: Kind<Metric = Histogram>, const N: usize> Series<K, N> {
    /// Takes one duration, in seconds, into the histogram.
    pub fn observe(&self, seconds: f64, values: [&'static str; N]) {
        self.update(values, |histogram| histogram.observe(seconds));
    }
}

impl<K: Kind, const N: usize> EncodeMetric for Series<K, N> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (values, metric) in &*self.lock() {
            if N == 0 {
                return metric.encode(encoder);
            }
            let mut at = 0;
            let pairs = self.labels.map(|label| {
                at += 1;
                (label, values[at - 1])
            });
            metric.encode(encoder.encode_family(&pairs)?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        K::Metric::TYPE
    }

    fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}

impl<K: Kind, const N: usize> Clone for Series<K, N> {
    fn clone(&self) -> Self {
        Self { labels: self.labels, cells: Arc::clone(&self.cells) }
    }
}

impl<K: Kind, const N: usize> fmt::Debug for Series<K, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Series").field("labels", &self.labels).field("cells", &*self.lock()).finish()
    }
}

/// Declares the families of one subsystem: a struct of [`Series`], how to register them, and what they are.
///
/// A field's name is the metric's, its doc comment the help text, its [`Kind`] the type and the unit.
macro_rules! metric_group {
    (
        $(#[doc = $doc:literal])+
        $vis:vis $group:ident, $subsystem:literal {
            $( $(#[doc = $help:literal])+ $field:ident: $kind:ident [$($label:literal),*], )+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug)]
        $vis struct $group {
            $( $(#[doc = $help])+ $vis $field: $crate::metrics::Series<
                $crate::metrics::$kind,
                { <[&str]>::len(&[$($label),*]) }
            >, )+
        }

        impl $group {
            /// What the families are, in the order of registration.
            $vis const FAMILIES: &'static [$crate::metrics::FamilyInfo] = &[
                $( $crate::metrics::FamilyInfo {
                    name: concat!("beacond_", $subsystem, "_", stringify!($field)),
                    kind: <<$crate::metrics::$kind as $crate::metrics::Kind>::Metric
                        as prometheus_client::metrics::TypedMetric>::TYPE,
                    unit: <$crate::metrics::$kind as $crate::metrics::Kind>::UNIT,
                    help: concat!($($help),+).trim_ascii(),
                    labels: &[$($label),*],
                }, )+
            ];

            /// Registers the families in a sub-registry of their own.
            $vis fn register(root: &mut prometheus_client::registry::Registry) -> Self {
                let registry = root.sub_registry_with_prefix(concat!("beacond_", $subsystem));
                let mut families = Self::FAMILIES.iter();
                Self {
                    $( $field: {
                        let series = $crate::metrics::Series::new([$($label),*]);
                        let info = families.next().expect("one entry per field: made by the same macro");
                        series.register(registry, stringify!($field), info);
                        series
                    }, )+
                }
            }
        }
    };
}

pub(crate) use metric_group;
