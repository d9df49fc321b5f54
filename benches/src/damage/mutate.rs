//! What is done to bytes: seeded, so that a case can be had again by its number alone.

use std::fmt;
use std::ops::Range;

use super::sums::Sums;

/// Numbers that look random and are the same in each run (splitmix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 if `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.number() % (n.max(1) as u64)).unwrap_or(0)
    }

    /// One of these.
    pub fn of<'t, T>(&mut self, these: &'t [T]) -> &'t T {
        &these[self.below(these.len())]
    }
}

/// One kind of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutation {
    /// Everything from a place on is gone; in the middle of a disk it is zeros.
    Cut,
    /// One bit is the other way round.
    Flip,
    /// Some bits are.
    Flips,
    /// A block is zeros: a sector that could not be read.
    Zero,
    /// Two blocks have changed places.
    Swap,
    /// A block holds another one's content: a write that went astray.
    Astray,
    /// A length, an offset or a count says something extreme. Checksums over it are made to fit.
    Forge,
}

/// All kinds. Forged fields come twice: they reach deepest.
pub const MUTATIONS: &[Mutation] = &[
    Mutation::Cut,
    Mutation::Flip,
    Mutation::Flips,
    Mutation::Zero,
    Mutation::Swap,
    Mutation::Astray,
    Mutation::Forge,
    Mutation::Forge,
];

/// What was done, for the report.
#[derive(Clone, Debug)]
pub struct Done {
    /// Which kind.
    pub mutation: Mutation,
    /// The bytes that may differ now.
    pub touched: Vec<Range<usize>>,
    /// How long the bytes are now, where they were cut.
    pub cut: Option<usize>,
    /// Checksums were made to fit, so that no reader can tell.
    pub covered: bool,
    words: String,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// Damages `bytes` within a range. `whole` says that the range is all there is, so that it can be cut.
pub fn damage(bytes: &mut Vec<u8>, range: &Range<usize>, whole: bool, sums: Sums, random: &mut Random) -> Done {
    let mutation = *random.of(MUTATIONS);
    let mut done = Done { mutation, touched: Vec::new(), cut: None, covered: false, words: String::new() };
    match mutation {
        Mutation::Cut => cut(bytes, range, whole, random, &mut done),
        Mutation::Flip => flip(bytes, range, 1, random, &mut done),
        Mutation::Flips => {
            let bits = 2 + random.below(30);
            flip(bytes, range, bits, random, &mut done);
        }
        Mutation::Zero => {
            let block = block(range, random);
            bytes[block.clone()].fill(0);
            done.words = format!("zeros at {block:#x?}");
            done.touched.push(block);
        }
        Mutation::Swap => {
            let (one, other) = two_blocks(range, random);
            for (a, b) in one.clone().zip(other.clone()) {
                bytes.swap(a, b);
            }
            done.words = format!("{one:#x?} and {other:#x?} change places");
            done.touched.extend([one, other]);
        }
        Mutation::Astray => {
            let (to, from) = two_blocks(range, random);
            bytes.copy_within(from.clone(), to.start);
            done.words = format!("{to:#x?} holds what lies at {from:#x?}");
            done.touched.push(to);
        }
        Mutation::Forge => forge(bytes, range, random, &mut done),
    }
    if mutation == Mutation::Forge {
        // A forger corrects the sums; most decoders are reached only behind them.
        done.covered = random.below(4) > 0;
        if done.covered {
            done.touched.extend(sums.correct(bytes));
        }
    }
    done
}

fn cut(bytes: &mut Vec<u8>, range: &Range<usize>, whole: bool, random: &mut Random, done: &mut Done) {
    let at = range.start + random.below(range.len());
    done.words = format!("cut at {at:#x}");
    done.touched.push(at..range.end);
    if whole {
        bytes.truncate(at);
        done.cut = Some(at);
    } else {
        bytes[at..range.end].fill(0);
    }
}

fn flip(bytes: &mut [u8], range: &Range<usize>, bits: usize, random: &mut Random, done: &mut Done) {
    for _ in 0..bits {
        let (at, bit) = (place(bytes, range, random), random.below(8));
        bytes[at] ^= 1 << bit;
        done.words.push_str(&format!("{}bit {bit} of {at:#x}", if done.words.is_empty() { "" } else { ", " }));
        done.touched.push(at..at + 1);
    }
}

/// Extremes of a little-endian field of 2, 4 or 8 bytes, and the neighbours of what it says.
fn forge(bytes: &mut [u8], range: &Range<usize>, random: &mut Random, done: &mut Done) {
    let width = *random.of(&[2usize, 2, 4, 4, 4, 8]);
    let at = place(bytes, range, random);
    // Fields of a structure lie at even places.
    let at = at - at % 2;
    let width = width.min(range.end.saturating_sub(at)).max(1);
    let mut field = [0; 8];
    field[..width].copy_from_slice(&bytes[at..at + width]);
    let now = u64::from_le_bytes(field);
    let most = if width == 8 { u64::MAX } else { (1 << (8 * width)) - 1 };
    let choice = [
        0,
        1,
        most >> 1,
        (most >> 1) + 1,
        most,
        most - 1,
        now.wrapping_add(1),
        now.wrapping_sub(1),
        now.wrapping_mul(2),
        range.len() as u64,
    ];
    let new = *random.of(&choice) & most;
    bytes[at..at + width].copy_from_slice(&new.to_le_bytes()[..width]);
    done.words = format!("{now:#x} becomes {new:#x} at {at:#x} ({width} bytes)");
    done.touched.push(at..at + width);
}

/// A place within the range where something is: zeros tell little. Heads are liked, because fields lie there.
fn place(bytes: &[u8], range: &Range<usize>, random: &mut Random) -> usize {
    let head = range.len().min(*random.of(&[128, 512, 4096 + 512, usize::MAX, usize::MAX]));
    let mut at = range.start;
    for _ in 0..16 {
        at = range.start + random.below(head);
        if bytes.get(at).is_some_and(|byte| *byte != 0) {
            break;
        }
    }
    at
}

/// A block of a disk's sector or cluster, where such begin.
fn block(range: &Range<usize>, random: &mut Random) -> Range<usize> {
    let size = *random.of(&[512, 4096]);
    let start = range.start + random.below(range.len().div_ceil(size)) * size;
    start..(start + size).min(range.end)
}

/// Two blocks of one length; the same one if there is no other.
fn two_blocks(range: &Range<usize>, random: &mut Random) -> (Range<usize>, Range<usize>) {
    // Small files have two halves.
    let size = (*random.of(&[512, 4096, 512])).min(range.len().div_ceil(2));
    let blocks = range.len() / size.max(1);
    let one = range.start + random.below(blocks) * size;
    let other = range.start + random.below(blocks) * size;
    (one..one + size, other..other + size)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same seed does the same, and nothing outside the range is touched; what is touched is named.
    #[test]
    fn damage_is_seeded_and_stays_where_it_says() {
        let good: Vec<u8> = (0..20_000u32).map(|n| n.to_le_bytes()[0] | 1).collect();
        let mut kinds = std::collections::BTreeSet::new();
        for seed in 0..400 {
            let range = 1000..15_000;
            let run = || {
                let mut bytes = good.clone();
                let done = damage(&mut bytes, &range, false, Sums::None, &mut Random::new(seed));
                (bytes, done)
            };
            let (bytes, done) = run();
            assert_eq!(bytes, run().0);
            kinds.insert(done.mutation);
            for (at, (now, was)) in bytes.iter().zip(&good).enumerate() {
                assert!(now == was || done.touched.iter().any(|t| t.contains(&at)), "seed {seed}: {at} ({done})");
                assert!(now == was || range.contains(&at));
            }
        }
        assert_eq!(kinds.len(), MUTATIONS.len() - 1);
    }
}
