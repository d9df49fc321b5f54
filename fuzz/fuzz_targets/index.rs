// max_len: 8192
#![no_main]
use emotrace_core::formats::index::{IndexRoot, Node, remains};
emotrace_fuzz::target!(|data| {
    let mut block = data.to_vec();
    let nodes = [IndexRoot::parse(data, 0).map(|(_, node)| node), Node::block(&mut block, 0)];
    for node in nodes.into_iter().flatten() {
        let _ = (node.entries().count(), node.remains(), node.all_remains(), node.slack());
    }
    remains(data, 0, u64::MAX);
});
