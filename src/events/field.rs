//! How the field types of the catalogue are written: to log lines and to exported records.
//!
//! Called by the code that `catalogue!` makes. Numbers stay numbers and bools stay bools, so that readers need no
//! parsing; identities and digests are text. A new field type is one line here.

use serde::Serialize;
use tracing::Value;
use tracing::field::display;

use crate::fault::Fault;
use crate::types::{
    Client, Direction, Epoch, ForkDigest, ForkName, GossipTopic, MessageId, Muxer, PeerId, Root, Slot, TopicKind,
    Transport,
};

/// A type that may be a field of an event.
pub(super) trait LogField {
    /// The value for a log line; evaluated only when the line is written. An absent option writes no field.
    fn log_value(&self) -> impl Value;

    /// The value for an exported record. An absent option is null.
    fn export_value(&self) -> impl Serialize;
}

/// Implements [`LogField`] by one conversion for both uses.
macro_rules! log_field {
    ($($kind:ty: |$value:ident| $convert:expr;)+) => {
        $(impl LogField for $kind {
            fn log_value(&self) -> impl Value {
                let $value = self;
                $convert
            }

            fn export_value(&self) -> impl Serialize {
                let $value = self;
                $convert
            }
        })+
    };
}

log_field! {
    bool: |flag| *flag;
    u64: |number| *number;
    i64: |number| *number;
    f64: |number| *number;
    usize: |count| *count as u64;
    Slot: |slot| slot.0;
    Epoch: |epoch| epoch.0;
    String: |text| text.as_str();
    &'static str: |label| *label;
    Client: |client| client.as_str();
    Direction: |direction| direction.as_str();
    Fault: |fault| fault.as_str();
    ForkName: |fork| fork.as_str();
    TopicKind: |kind| kind.as_str();
    Muxer: |muxer| muxer.as_str();
    Transport: |transport| transport.as_str();
}

/// Implements [`LogField`] for types that are written as their `Display` text.
macro_rules! text_field {
    ($($kind:ty),+) => {
        $(impl LogField for $kind {
            fn log_value(&self) -> impl Value {
                display(self)
            }

            fn export_value(&self) -> impl Serialize {
                self.to_string()
            }
        })+
    };
}

text_field!(ForkDigest, GossipTopic, MessageId, PeerId, Root);

impl<T: LogField> LogField for Option<T> {
    fn log_value(&self) -> impl Value {
        self.as_ref().map(T::log_value)
    }

    fn export_value(&self) -> impl Serialize {
        self.as_ref().map(T::export_value)
    }
}
