//! Inflated chunks that were read not long ago: bounded in bytes, in parts of its own so that threads rarely wait for
//! each other.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

const SHARDS: u64 = 16;

/// A cache of chunks by number.
#[derive(Debug)]
pub(super) struct ChunkCache {
    shards: Vec<Mutex<Shard>>,
    /// Bytes that one shard may hold.
    limit: usize,
}

/// Second chance: in order of arrival, but a chunk that was used since then goes round once more.
#[derive(Debug, Default)]
struct Shard {
    chunks: HashMap<u64, Cached>,
    order: VecDeque<u64>,
    bytes: usize,
}

#[derive(Debug)]
struct Cached {
    data: Arc<[u8]>,
    used: bool,
}

impl ChunkCache {
    pub(super) fn new(bytes: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, limit: usize::try_from(bytes as u64 / SHARDS).unwrap_or(usize::MAX) }
    }

    fn shard(&self, chunk: u64) -> Option<&Mutex<Shard>> {
        self.shards.get(usize::try_from(chunk % SHARDS).ok()?)
    }

    pub(super) fn get(&self, chunk: u64) -> Option<Arc<[u8]>> {
        let mut shard = self.shard(chunk)?.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = shard.chunks.get_mut(&chunk)?;
        cached.used = true;
        Some(Arc::clone(&cached.data))
    }

    pub(super) fn put(&self, chunk: u64, data: &Arc<[u8]>) {
        let Some(shard) = self.shard(chunk) else { return };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let shard = &mut *shard;
        if data.len() > self.limit || shard.chunks.contains_key(&chunk) {
            return;
        }
        while shard.bytes.saturating_add(data.len()) > self.limit {
            let Some(oldest) = shard.order.pop_front() else { break };
            match shard.chunks.get_mut(&oldest) {
                Some(cached) if cached.used => {
                    cached.used = false;
                    shard.order.push_back(oldest);
                }
                _ => {
                    if let Some(gone) = shard.chunks.remove(&oldest) {
                        shard.bytes = shard.bytes.saturating_sub(gone.data.len());
                    }
                }
            }
        }
        shard.bytes = shard.bytes.saturating_add(data.len());
        shard.order.push_back(chunk);
        shard.chunks.insert(chunk, Cached { data: Arc::clone(data), used: false });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_holds_more_than_its_limit() {
        let cache = ChunkCache::new(16 * 1000);
        for chunk in 0..1000 {
            cache.put(chunk, &Arc::from(vec![0; 300]));
            cache.get(0);
        }
        let held = |shard: &Mutex<Shard>| shard.lock().unwrap().bytes;
        assert!(cache.shards.iter().all(|s| held(s) == 900), "three chunks of 300 bytes fit into 1,000");
        assert!(cache.get(0).is_some(), "a chunk in use stays");
        assert!(cache.get(16).is_none(), "one that is not goes");
        cache.put(5000, &Arc::from(vec![0; 2000]));
        assert!(cache.get(5000).is_none());
    }
}
