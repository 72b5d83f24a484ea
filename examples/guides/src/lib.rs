//! The guides in `docs/guides`: what they show is compiled and run as tests of this package.

mod server;

pub use server::Server;

macro_rules! guides {
    ($($name:ident: $file:literal,)*) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!(concat!("../../../docs/guides/", $file))]
            struct $name;
        )*
    };
}

guides! {
    AgentTools: "agent-tools.md",
    HttpClient: "http-client.md",
    ReadTheMetrics: "read-the-metrics.md",
    ReloadLimits: "reload-limits.md",
    Testing: "testing.md",
    WorkerPool: "worker-pool.md",
}
