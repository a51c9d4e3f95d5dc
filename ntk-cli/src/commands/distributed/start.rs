//! This program again, as the ranks of a job.

use crate::Failure;
use crate::cli::Common;
use crate::interrupt;
#[cfg(target_os = "linux")]
use std::os::unix::process::CommandExt;
use std::process::Command;

/// What mpirun and srun set for the ranks that they start: Open MPI's, PMIx' and PMI's.
const STARTED: [&str; 4] = ["OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE"];

/// Whether this process is a rank of a job.
pub(crate) fn is_rank() -> bool {
    STARTED.iter().any(|name| std::env::var_os(name).is_some())
}

/// Reads how many ranks the launcher announced, where it said so.
pub(crate) fn announced() -> Option<i32> {
    let sizes = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"].into_iter();
    sizes
        .filter_map(|name| std::env::var(name).ok()?.parse().ok())
        .next()
}

/// Reads how many ranks share this machine, where the launcher said so.
pub(crate) fn ranks_here() -> Option<usize> {
    let number = std::env::var("OMPI_COMM_WORLD_LOCAL_SIZE").ok()?;
    number.parse().ok().filter(|&ranks| ranks > 0)
}

/// Runs this command line as `ranks` processes of `mpirun`, and ends as they do.
pub(crate) fn mpirun(common: &Common, ranks: usize, cores: usize) -> Result<(), Failure> {
    let threads = match common.threads {
        Some(threads) => usize::from(threads),
        None => (cores / ranks).max(1),
    };
    let mut mpirun = Command::new("mpirun");
    mpirun.args(["-n", &ranks.to_string()]);
    // Ranks with threads would have one core each.
    mpirun.args(["--bind-to", "none"]);
    if ranks > cores {
        mpirun.arg("--oversubscribe");
    }
    // SAFETY: takes nothing and cannot fail.
    if unsafe { libc::geteuid() } == 0 {
        // As root, which containers often are.
        mpirun.env("OMPI_ALLOW_RUN_AS_ROOT", "1");
        mpirun.env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    }
    mpirun.arg(std::env::current_exe()?);
    mpirun.args(std::env::args_os().skip(1));
    for name in ["RAYON_NUM_THREADS", "OPENBLAS_NUM_THREADS"] {
        mpirun.env(name, threads.to_string());
    }
    #[cfg(target_os = "linux")]
    // SAFETY: what runs between fork and exec is one system call. mpirun then ends its job also where this
    // process is killed, and cannot tell it to.
    unsafe {
        mpirun.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
            Ok(())
        });
    }
    let not_started = |e| format!("mpirun does not start: {e}; install it (Debian: openmpi-bin)");
    let mut job = mpirun.spawn().map_err(not_started)?;
    // mpirun ends with a code of its own where a signal ended its job.
    interrupt::pass_on_to(job.id());
    let ended = job.wait()?;
    if interrupt::is_interrupted() {
        interrupt::end();
    }
    match ended.code() {
        Some(0) => Ok(()),
        // The rank that failed has told why.
        code => std::process::exit(code.unwrap_or(1)),
    }
}
