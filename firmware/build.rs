//! Tells the linker which memory the emulated board has.

use std::{env, fs, path::PathBuf};

const MICROBIT: &str = "MEMORY { FLASH : ORIGIN = 0, LENGTH = 256K  RAM : ORIGIN = 0x20000000, LENGTH = 16K }";
const LM3S6965EVB: &str = "MEMORY { FLASH : ORIGIN = 0, LENGTH = 256K  RAM : ORIGIN = 0x20000000, LENGTH = 64K }";
const VIRT: &str = r#"
MEMORY { RAM : ORIGIN = 0x80000000, LENGTH = 1M }
REGION_ALIAS("REGION_TEXT", RAM);
REGION_ALIAS("REGION_RODATA", RAM);
REGION_ALIAS("REGION_DATA", RAM);
REGION_ALIAS("REGION_BSS", RAM);
REGION_ALIAS("REGION_HEAP", RAM);
REGION_ALIAS("REGION_STACK", RAM);
"#;

fn main() {
    let target = env::var("TARGET").expect("cargo names the target");
    let memory = match target.as_str() {
        "thumbv6m-none-eabi" => MICROBIT,
        "thumbv7m-none-eabi" => LM3S6965EVB,
        "riscv32imc-unknown-none-elf" | "riscv32imac-unknown-none-elf" => VIRT,
        _ => panic!("no board for {target}: .ci/firmware knows those that there are"),
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names the folder"));
    fs::write(out.join("memory.x"), memory).expect("the folder can be written");
    println!("cargo::rustc-link-search={}", out.display());
    if target.starts_with("riscv") {
        println!("cargo::rustc-link-arg-bins=-Tmemory.x"); // its link.x does not include it
    }
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rustc-link-arg-bins=--nmagic"); // sections lie as close as memory.x says
    println!("cargo::rerun-if-changed=build.rs");
}
