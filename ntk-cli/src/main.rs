//! The program `ntk`; `ntk --help` is its manual.

fn main() -> std::process::ExitCode {
    ntk_cli::main()
}
