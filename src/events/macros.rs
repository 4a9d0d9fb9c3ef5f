//! The `catalogue!` macro: turns the table in `catalogue.rs` into [`NodeEvent`](super::NodeEvent), its log lines,
//! its export form and [`CATALOGUE`](super::CATALOGUE).
//!
//! Called once, by the table. It knows no event by name; how a field type is written is `field.rs`'s business.

/// Defines the event enum and everything that is derived from the table, one arm per event.
macro_rules! catalogue {
    ($(
        $(#[doc = $doc:literal])+
        $variant:ident = $name:literal, $level:ident {
            $( $(#[doc = $field_doc:literal])+ $field:ident: $kind:ty, )*
        }
    )+) => {
        /// Something that happened to the node, said once, where it became true.
        ///
        /// Each event is one log line, one fold into the metrics and one record on the bus.
        #[derive(Clone, Debug, PartialEq)]
        pub enum NodeEvent {
            $( $(#[doc = $doc])+ $variant { $( $(#[doc = $field_doc])+ $field: $kind, )* }, )+
        }

        impl NodeEvent {
            /// The stable name, `<domain>.<past_tense>`.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $( Self::$variant { .. } => $name, )+ }
            }

            /// The level of the log line.
            #[must_use]
            pub const fn level(&self) -> tracing::Level {
                match self { $( Self::$variant { .. } => tracing::Level::$level, )+ }
            }

            /// Writes the log line: target `evt::<domain>`, no message, field `event` first.
            ///
            /// Costs one atomic load when nobody reads that level and target.
            pub(super) fn log(&self) {
                match self {
                    $( Self::$variant { $($field),* } => {
                        const TARGET: &str = $crate::events::macros::target!($name);
                        tracing::event!(
                            target: TARGET,
                            tracing::Level::$level,
                            event = $name,
                            $( $field = $crate::events::field::LogField::log_value($field), )*
                        );
                    } )+
                }
            }
        }

        impl serde::Serialize for NodeEvent {
            /// One flat record: `{"event": "dial.started", "peer_id": "16U…", …}`; an absent field is null.
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeStruct;
                match self {
                    $( Self::$variant { $($field),* } => {
                        const FIELDS: &[&str] = &["event", $( stringify!($field) ),*];
                        let mut record = serializer.serialize_struct("NodeEvent", FIELDS.len())?;
                        record.serialize_field("event", $name)?;
                        $(
                            let value = $crate::events::field::LogField::export_value($field);
                            record.serialize_field(stringify!($field), &value)?;
                        )*
                        record.end()
                    } )+
                }
            }
        }

        /// Every event that the node can emit, in the order of the table.
        pub const CATALOGUE: &[$crate::events::EventInfo] = &[
            $( $crate::events::EventInfo {
                name: $name,
                level: tracing::Level::$level,
                doc: concat!($($doc),+).trim_ascii(),
                fields: &[ $( $crate::events::FieldInfo {
                    name: stringify!($field),
                    kind: stringify!($kind),
                    doc: concat!($($field_doc),+).trim_ascii(),
                }, )* ],
            }, )+
        ];
    };
}

/// The log target of an event name, at compile time: `"dial.failed"` gives `"evt::dial"`.
macro_rules! target {
    ($name:literal) => {{
        const BYTES: [u8; $crate::events::macros::target_len($name)] = $crate::events::macros::target_bytes($name);
        match std::str::from_utf8(&BYTES) {
            Ok(target) => target,
            Err(_) => panic!("event names are ASCII"),
        }
    }};
}

pub(super) use {catalogue, target};

const PREFIX: &[u8] = b"evt::";

/// Length in bytes of the target of `name`.
pub(super) const fn target_len(name: &str) -> usize {
    let name = name.as_bytes();
    let mut dot = 0;
    while name[dot] != b'.' {
        dot += 1;
    }
    PREFIX.len() + dot
}

/// The target of `name`, as bytes; `N` is its [`target_len`].
pub(super) const fn target_bytes<const N: usize>(name: &str) -> [u8; N] {
    let mut target = [0; N];
    let mut i = 0;
    while i < N {
        target[i] = if i < PREFIX.len() { PREFIX[i] } else { name.as_bytes()[i - PREFIX.len()] };
        i += 1;
    }
    target
}
