//! A test program that starts itself again under `mpirun`.

#![allow(unreachable_pub, clippy::print_stdout)]

use std::process::{Command, Output};

use ntk_mpi::mpi::{self, Threading, topology::SimpleCommunicator, traits::*};

/// Seconds after which `mpirun` ends a job whose ranks wait for each other.
const LIMIT: &str = "300";

/// Whether this process is a rank of a job.
pub fn started() -> bool {
    std::env::var_os("OMPI_COMM_WORLD_SIZE").is_some()
}

/// Runs this program on `ranks` ranks with one argument.
pub fn job(ranks: usize, argument: &str) -> Output {
    let program = std::env::current_exe().expect("the path of this program");
    Command::new("mpirun")
        .args(["--oversubscribe", "--timeout", LIMIT, "-n"])
        .arg(ranks.to_string())
        .arg(program)
        .arg(argument)
        // As root, which containers often are.
        .envs([
            ("OMPI_ALLOW_RUN_AS_ROOT", "1"),
            ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"),
        ])
        // More ranks than cores need no further threads.
        .envs([("RAYON_NUM_THREADS", "1"), ("OPENBLAS_NUM_THREADS", "1")])
        .output()
        .unwrap_or_else(|error| {
            panic!("mpirun does not start; install it (Debian: openmpi-bin): {error}")
        })
}

/// [`job`], which must succeed.
pub fn succeed(ranks: usize, argument: &str) {
    let output = job(ranks, argument);
    assert!(
        output.status.success(),
        "{argument} on {ranks} ranks: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    // ScaLAPACK complains here of arguments that it then does without.
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!said.contains("illegal value"), "{said}");
    println!("{argument} on {ranks} ranks ... ok");
}

/// Runs `body` as one rank; a panic of it ends the job.
pub fn rank(body: impl FnOnce(&SimpleCommunicator)) {
    let (universe, _) =
        mpi::initialize_with_threading(Threading::Funneled).expect("MPI starts once");
    let world = universe.world();
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        SimpleCommunicator::world().abort(101);
    }));
    body(&world);
}
