// max_len: 16384
#![no_main]
use emotrace_core::formats::xml;
emotrace_fuzz::target!(|data| drop(xml::read(&xml::decode(data))));
