//! What travels between the two legs, and how it ends.

mod closing;
mod integrity;
