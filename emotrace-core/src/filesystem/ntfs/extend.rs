//! What NTFS keeps in `$Extend` of the volume as a whole: object ids and quotas. Read when asked for.

use super::NtfsVolume;
use super::directory::Index;
use crate::filesystem::{FileSystem, FileSystemIssue, Registers};
use crate::formats::index::IndexEntry;
use crate::formats::ntfs_extend::{ObjectId, Quota};

impl NtfsVolume {
    /// The entries of `$Extend\$ObjId` and `$Extend\$Quota`, each in the order of its index.
    pub(super) fn read_registers(&self, issue: &mut dyn FnMut(FileSystemIssue)) -> Registers {
        let mut registers = Registers::default();
        let mut object_id = |entry: &IndexEntry<'_>| registers.object_ids.extend(ObjectId::parse(entry));
        self.each_in_extend(r"\$Extend\$ObjId", "$O", &mut object_id, issue);
        let mut quota = |entry: &IndexEntry<'_>| registers.quotas.extend(Quota::parse(entry));
        self.each_in_extend(r"\$Extend\$Quota", "$Q", &mut quota, issue);
        registers
    }

    /// A volume need not have the file, or the index in it: nothing is lost then.
    fn each_in_extend(
        &self,
        path: &str,
        index: &str,
        give: &mut dyn FnMut(&IndexEntry<'_>),
        issue: &mut dyn FnMut(FileSystemIssue),
    ) {
        let Some(file) = self.lookup(path).ok().and_then(|entry| entry.reference) else { return };
        if let Ok(index) = Index::open_named(self, file, index) {
            index.each(give, issue);
        }
    }
}
