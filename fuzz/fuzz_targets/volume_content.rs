// max_len: 65536
#![no_main]
use emotrace_fuzz::halves;
// The input is the begin and the end of a volume without a partition table before it.
emotrace_fuzz::target!(|data| {
    let (begin, end) = halves(data);
    let mut volume = vec![0; 160 << 10];
    volume[..begin.len()].copy_from_slice(begin);
    let last = volume.len() - end.len();
    volume[last..].copy_from_slice(end);
    drop(emotrace_core::volume::read_layout(&volume));
});
