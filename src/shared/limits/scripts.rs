//! What the engine runs for limits.

use crate::shared::engine::Script;

#[derive(Debug)]
pub(in crate::shared) struct Scripts {
    pub(super) enter: Script,
    pub(super) borrow: Script,
    pub(super) renew: Script,
    pub(super) leave: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            enter: Script::new(concat!(
                include_str!("bucket.lua"),
                include_str!("enter.lua")
            )),
            borrow: Script::new(concat!(
                include_str!("bucket.lua"),
                include_str!("borrow.lua")
            )),
            renew: Script::new(include_str!("renew.lua")),
            leave: Script::new(include_str!("leave.lua")),
        }
    }

    pub(super) fn all(&self) -> [&Script; 4] {
        let Self {
            enter,
            borrow,
            renew,
            leave,
        } = self;
        [enter, borrow, renew, leave]
    }
}
