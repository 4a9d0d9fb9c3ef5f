//! The bytes of gossipsub's RPCs, as far as a sender needs them.

/// A frame that publishes one message. `data` is compressed.
pub(crate) fn publish(topic: &str, data: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(data.len() + topic.len() + 12);
    field(&mut message, 2, data);
    field(&mut message, 4, topic.as_bytes());
    let mut rpc = Vec::with_capacity(message.len() + 6);
    field(&mut rpc, 2, &message);
    framed(&rpc)
}

/// A frame that subscribes to topics.
pub(crate) fn subscribe<'a>(topics: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut rpc = Vec::new();
    for topic in topics {
        // bool subscribe = 1, string topic = 2
        let mut subscription = vec![0x08, 1];
        field(&mut subscription, 2, topic.as_bytes());
        field(&mut rpc, 1, &subscription);
    }
    framed(&rpc)
}

fn framed(rpc: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(rpc.len() + 4);
    varint(&mut frame, rpc.len());
    frame.extend_from_slice(rpc);
    frame
}

/// A field of wire type 2.
fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    varint(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn varint(out: &mut Vec<u8>, value: usize) {
    let mut buffer = unsigned_varint::encode::usize_buffer();
    out.extend_from_slice(unsigned_varint::encode::usize(value, &mut buffer));
}
