//! What the fuzz targets share: clocks that move in any way, and naive oracles that share no code with the core.

pub mod breaker;
pub mod bucket;
pub mod clock;
pub mod config;
pub mod growth;
pub mod shapes;
pub mod window;
