// max_len: 8192
#![no_main]
use std::sync::{Arc, OnceLock};

use emotrace_core::bytes::ReadAt;
use emotrace_core::volume::vss::Catalogue;
use emotrace_fuzz::{Patched, read_some};
// The input patches the catalogue and the two stores of a sound volume.
emotrace_fuzz::target!(|data| {
    static BASE: OnceLock<Vec<u8>> = OnceLock::new();
    let base = BASE.get_or_init(volume);
    let volume: Arc<dyn ReadAt> = Arc::new(Patched::new(base, &PLACES, data));
    let (copies, _) = Catalogue::read(&*volume).open(&volume, &|_| true);
    for (_, copy) in copies {
        read_some(&copy);
        copy.is_live(0, u64::MAX);
    }
});

const BLOCK: usize = 0x4000;
const IDENTIFIER: [u8; 16] = 0x6b87_0838_76c1_484e_b7ae_0404_6e6c_c752u128.to_be_bytes();
/// Header, catalogue, and of each store: header, block list, bitmap.
const PLACES: [usize; 8] = [0x1e00, BLOCK, 4 * BLOCK, 5 * BLOCK, 6 * BLOCK, 8 * BLOCK, 9 * BLOCK, 10 * BLOCK];

fn volume() -> Vec<u8> {
    let mut volume = vec![0x5a; 64 * BLOCK];
    volume[..2 * BLOCK].fill(0);
    for (at, kind) in PLACES.into_iter().zip([1u32, 2, 4, 3, 6, 4, 3, 6]) {
        volume[at..at + if kind == 1 { 128 } else { BLOCK }].fill(0);
        volume[at..at + 16].copy_from_slice(&IDENTIFIER);
        volume[at + 16] = 1;
        volume[at + 20..at + 24].copy_from_slice(&kind.to_le_bytes());
        volume[at + 32..at + 40].copy_from_slice(&(at as u64).to_le_bytes());
    }
    let mut put = |at: usize, value: usize| volume[at..at + 8].copy_from_slice(&(value as u64).to_le_bytes());
    put(0x1e00 + 48, BLOCK);
    for (n, store) in [4 * BLOCK, 8 * BLOCK].into_iter().enumerate() {
        let entry = BLOCK + 128 + n * 256;
        let fields = [(0, 2), (8, 64 * BLOCK), (16, n + 1), (48, n + 1), (128, 3), (136, store + BLOCK), (144, n + 1)];
        let fields = fields.into_iter().chain([(160, store), (176, store + 2 * BLOCK)]);
        fields.for_each(|(at, value)| put(entry + at, value));
        for (block, flags) in [(20, 0), (21, 2), (22, 1), (23, 4)] {
            let at = store + BLOCK + 128 + (block - 20) * 32;
            [block * BLOCK, (block + 4) * BLOCK, (block + 10 + n * 10) * BLOCK, flags | 0xf << 32]
                .into_iter()
                .enumerate()
                .for_each(|(field, value)| put(at + field * 8, value));
        }
    }
    volume
}
