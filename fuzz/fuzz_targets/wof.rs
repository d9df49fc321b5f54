// max_len: 16384
#![no_main]
use emotrace_core::formats::wof::{self, Algorithm};
// The input is the reparse data (16 bytes), the length of the content (4) and the compressed stream.
emotrace_fuzz::target!(|data| {
    let Some((head, stream)) = data.split_at_checked(20) else { return };
    let Ok(algorithm) = Algorithm::from_reparse_data(&head[..16]) else { return };
    let len = u32::from_le_bytes([head[16], head[17], head[18], head[19]]);
    for len in [u64::from(len), u64::MAX] {
        emotrace_fuzz::read_some(&wof::reader(stream.to_vec(), algorithm, len));
    }
});
