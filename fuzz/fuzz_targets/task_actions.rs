// max_len: 4096
#![no_main]
use emotrace_core::formats::task_actions::TaskActions;
emotrace_fuzz::target!(|data| drop(TaskActions::parse(data, u64::MAX - 100)));
