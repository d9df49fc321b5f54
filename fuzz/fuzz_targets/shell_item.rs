// max_len: 4096
#![no_main]
use emotrace_core::formats::shell_item;
emotrace_fuzz::target!(|data| {
    let list = shell_item::read_list(data, u64::MAX - 100);
    let _ = (list.path(), list.file_system_path(), shell_item::describe(&shell_item::read_item(data, 0)));
    list.items.iter().for_each(|item| drop(shell_item::describe(item)));
});
