//! What crowds and floods cost, and what everybody else notices of them. Each test prints its
//! figures, which stand in docs/security.md, and checks the bounds that the page promises.
//!
//! They take minutes and the whole machine, and so run only when they are asked for:
//!
//! ```sh
//! cargo test --release --test it -- --ignored --nocapture --test-threads 1 hostile::load
//! ```

mod backend;
mod churn;
mod crowd;
mod elsewhere;
mod flood;
mod honest;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use self::backend::Backend;
use crate::kit::{Echo, Program, Vitals};

/// A gate with an honest echo behind `/echo` and a backend of the test's behind `/ws/*`.
struct Gate {
    program: Program,
    backend: Backend,
    _echo: Echo,
}

impl Gate {
    /// A gate with these lines in the route to the backend, and more tables at the end.
    async fn start(backend: Backend, route: &str, more: &str) -> Self {
        raise_limit();
        let echo = Echo::start().await;
        let (backend_url, echo_url) = (backend.url(), echo.url());
        let settings = format!(
            "[[listen]]\naddress = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\naccess = false\n\
             [drain]\nspread = \"0s\"\n\
             [upstream.echo]\nservers = [\"{echo_url}\"]\n\
             [upstream.backend]\nservers = [\"{backend_url}\"]\n\
             [[route]]\nname = \"echo\"\npath = \"/echo\"\nupstream = \"echo\"\n\
             [[route]]\nname = \"attacked\"\npath = \"/ws/*\"\nupstream = \"backend\"\n{route}\n{more}\n"
        );
        Self {
            program: Program::run(&settings).await,
            backend,
            _echo: echo,
        }
    }

    fn address(&self) -> &str {
        &self.program.address
    }

    fn vitals(&self) -> Vitals {
        Vitals::of(self.program.id())
    }

    /// Waits until the gate holds no more descriptors than it did.
    async fn lets_go(&self, before: Vitals) {
        before.let_go(self.program.id()).await;
    }
}

/// This process holds both ends of every session of the gate.
fn raise_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("as many descriptors as there are");
}

fn mebibytes(bytes: usize) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}
