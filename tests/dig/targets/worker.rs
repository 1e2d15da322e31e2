// worker: Rust. "rust-waiter" waits in a generic method of a trait below a closure; "rust-worker" computes, mostly.
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

trait Gate {
    fn pass<T: Clone>(&self, value: T) -> T;
}

struct Shut(Arc<(Mutex<bool>, Condvar)>);

impl Gate for Shut {
    #[inline(never)]
    fn pass<T: Clone>(&self, value: T) -> T {
        let (open, changed) = &*self.0;
        let mut is_open = open.lock().unwrap();
        while !*is_open {
            is_open = changed.wait(is_open).unwrap();
        }
        value.clone()
    }
}

#[inline(never)]
fn collatz(mut n: u64) -> u64 {
    let mut steps = 0;
    while n != 1 {
        n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
        steps += 1;
    }
    steps
}

fn main() {
    let shut = Shut(Arc::new((Mutex::new(false), Condvar::new())));
    let wait = move || {
        let got = shut.pass(vec!["a".to_string()]);
        println!("{:?}", got);
    };
    let waiter = thread::Builder::new().name("rust-waiter".into()).spawn(wait).unwrap();
    let work = || {
        let mut n = 1u64;
        loop {
            n = 1 + (n + collatz(n)) % 1_000_000;
        }
    };
    thread::Builder::new().name("rust-worker".into()).spawn(work).unwrap();
    thread::sleep(std::time::Duration::from_millis(50));
    println!("ready");
    std::io::stdout().flush().unwrap();
    waiter.join().unwrap();
}
