//! Servers that are programs of others. Each ends with the demo, however the demo ends, and none is
//! taken for ours because its port is: it has to say itself that it listens.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// How often a free port may be taken by somebody else before nginx has it.
const ATTEMPTS: usize = 5;

/// Runs a program until it ends itself, or until the shell's input does: that happens when the demo
/// is gone, killed or not. Ctrl-C is meant for the demo, which then ends both.
const GUARD: &str = r#"trap "" INT HUP
exec 3<&0
"$@" </dev/null 3<&- & program=$!
{ cat <&3 >/dev/null; kill $program; } & guard=$!
wait $program; code=$?
kill $guard 2>/dev/null
exit $code"#;

/// A program that ends when this is dropped.
pub(crate) struct Process(Child);

impl Process {
    /// Starts a program whose output goes to the file `log`.
    pub(crate) fn start(command: &[&str], log: &Path) -> Result<Self, String> {
        let failed = |e: std::io::Error| format!("{}: {e}", log.display());
        let output = fs::File::create(log).map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        let child = Command::new("sh")
            .args(["-c", GUARD, "sh"])
            .args(command)
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .spawn();
        Ok(Self(child.map_err(|e| format!("{}: {e}", command[0]))?))
    }

    /// nginx with the configuration that `configure` writes for free ports. `pid` is the file that
    /// the configuration names: nginx writes it once its ports are its own.
    pub(crate) fn nginx<const N: usize>(
        work: &Path,
        file: &Path,
        pid: &Path,
        log: &Path,
        configure: impl Fn([u16; N]) -> String,
    ) -> Result<(Self, [u16; N]), String> {
        for _ in 0..ATTEMPTS {
            let ports = free_ports()?;
            let process = Self::nginx_at(work, file, pid, log, &configure(ports))?;
            if let Some(process) = process {
                return Ok((process, ports));
            }
        }
        Err(format!("nginx ended: see {}", log.display()))
    }

    /// nginx with this configuration; none where it ended, because of its ports or otherwise.
    pub(crate) fn nginx_at(
        work: &Path,
        file: &Path,
        pid: &Path,
        log: &Path,
        configuration: &str,
    ) -> Result<Option<Self>, String> {
        fs::write(file, configuration).map_err(|e| format!("{}: {e}", file.display()))?;
        let _not_there = fs::remove_file(pid);
        let (file, work) = (file.display().to_string(), work.display().to_string());
        let mut process = Self::start(&["nginx", "-c", &file, "-p", &work], log)?;
        let listens = || fs::read(pid).is_ok_and(|pid| pid.ends_with(b"\n")).then_some(());
        Ok(process.await_that(listens, "nginx")?.map(|()| process))
    }

    /// What `look` finds, or none where the program ended before it found something.
    pub(crate) fn await_that<T>(
        &mut self,
        mut look: impl FnMut() -> Option<T>,
        name: &str,
    ) -> Result<Option<T>, String> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let ended = self.0.try_wait().map_err(|e| format!("{name}: {e}"))?.is_some();
            if let Some(found) = look() {
                return Ok(Some(found));
            }
            if ended {
                return Ok(None);
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(format!("{name} does not listen"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _reaped = self.0.wait();
    }
}

/// Ports that nobody has just now; somebody else may have one a moment later.
fn free_ports<const N: usize>() -> Result<[u16; N], String> {
    // Held together, so that they differ.
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0"));
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        let listener = listener.as_ref().map_err(|e| format!("no free port: {e}"))?;
        *port = listener.local_addr().map_err(|e| e.to_string())?.port();
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the process is there: signal 0 only asks.
    fn runs(pid: &str) -> bool {
        let status = Command::new("sh").args(["-c", "kill -0 $1 2>/dev/null", "sh", pid]).status();
        status.expect("sh runs").success()
    }

    #[test]
    fn a_program_ends_when_it_is_dropped_and_one_that_has_ended_is_not_waited_for() {
        let log = std::env::temp_dir().join(format!("pinfold-demo-{}", std::process::id()));
        let mut program =
            Process::start(&["sh", "-c", "echo $$; exec sleep 600"], &log).expect("sh starts");
        let line = || fs::read_to_string(&log).ok().filter(|text| text.ends_with('\n'));
        let pid = program.await_that(line, "sh").expect("in time").expect("it runs");
        assert!(runs(pid.trim()));
        drop(program);
        assert!(!runs(pid.trim()), "it is left behind");

        let mut program = Process::start(&["false"], &log).expect("it starts");
        assert_eq!(program.await_that(|| None::<()>, "false"), Ok(None));
        fs::remove_file(&log).expect("it was there");
    }
}
