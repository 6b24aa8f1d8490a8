//! What gates exchange: publications, questions and answers.

mod answers;
mod envelope;
mod question;
mod receiver;

pub(crate) use answers::{Answers, Elsewhere, NoAnswer};
pub(crate) use envelope::Envelope;
pub(crate) use question::{Answer, Base64, Member, Question};
#[allow(unused_imports, reason = "for the bus")]
pub(super) use question::{Answered, Asked};
pub(crate) use receiver::Receiver;
