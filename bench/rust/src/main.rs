//! The comparator of bench/sync: `sync-comparator NAME` prints one figure in the unit that
//! bench_sync.c prints for the same name. The loops are the same, step for step.

use crossbeam_channel::{bounded, select, unbounded, Receiver, Sender};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{mpsc, Arc};
use std::thread;
use std::time::{Duration, Instant};

const MESSAGES: usize = 2_000_000;

fn per(n: usize, took: Duration) -> f64 {
    took.as_nanos() as f64 / n as f64
}

fn drain(rx: &Receiver<usize>) -> usize {
    let mut n = 0;
    while rx.recv().is_ok() {
        n += 1;
    }
    n
}

/// ns a message from `producers` to `consumers` threads.
fn channel(tx: Sender<usize>, rx: Receiver<usize>, n: usize, producers: usize, consumers: usize) -> f64 {
    let start = Instant::now();
    thread::scope(|s| {
        for _ in 0..producers {
            let tx = tx.clone();
            s.spawn(move || {
                for i in 0..n / producers {
                    tx.send(i).unwrap();
                }
            });
        }
        drop(tx);
        for _ in 1..consumers {
            let rx = rx.clone();
            s.spawn(move || drain(&rx));
        }
        drain(&rx);
    });
    per(n, start.elapsed())
}

fn std_spsc() -> f64 {
    let (tx, rx) = mpsc::sync_channel::<usize>(1024);
    let start = Instant::now();
    thread::scope(|s| {
        s.spawn(move || {
            for i in 0..MESSAGES {
                tx.send(i).unwrap();
            }
        });
        assert_eq!(rx.iter().count(), MESSAGES);
    });
    per(MESSAGES, start.elapsed())
}

fn ping_pong(n: usize) -> f64 {
    let (there, inbox) = bounded::<usize>(1);
    let (back, home) = bounded::<usize>(1);
    let start = Instant::now();
    thread::scope(|s| {
        s.spawn(move || {
            for i in inbox.iter() {
                back.send(i).unwrap();
            }
        });
        for i in 0..n {
            there.send(i).unwrap();
            home.recv().unwrap();
        }
        drop(there);
    });
    per(n, start.elapsed())
}

fn select_four(n: usize) -> f64 {
    let (txs, rxs): (Vec<_>, Vec<_>) = (0..4).map(|_| bounded::<usize>(1024)).unzip();
    let start = Instant::now();
    thread::scope(|s| {
        for tx in txs {
            s.spawn(move || {
                for i in 0..n / 4 {
                    tx.send(i).unwrap();
                }
            });
        }
        let mut got = 0;
        while got < n / 4 * 4 {
            let item = select! {
                recv(rxs[0]) -> i => i,
                recv(rxs[1]) -> i => i,
                recv(rxs[2]) -> i => i,
                recv(rxs[3]) -> i => i,
            };
            got += item.is_ok() as usize;
        }
    });
    per(n, start.elapsed())
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = rayon::join(|| fib(n - 1), || fib(n - 2));
    a + b
}

/// ns a join of fib(30).
fn join(threads: usize) -> f64 {
    let pool = pool(threads);
    pool.install(|| fib(20));
    let start = Instant::now();
    assert_eq!(pool.install(|| fib(30)), 832_040);
    per(1_346_268, start.elapsed())
}

/// ns an element of the sum of 10^8 numbers.
fn sum(threads: usize) -> f64 {
    use rayon::prelude::*;
    let numbers: Vec<u64> = (0..100_000_000).collect();
    let pool = pool(threads);
    let start = Instant::now();
    let total: u64 = if threads == 0 {
        numbers.iter().sum()
    } else {
        pool.install(|| numbers.par_iter().sum())
    };
    let took = start.elapsed();
    assert_eq!(total, 4_999_999_950_000_000);
    per(numbers.len(), took)
}

fn epoch_pin() -> f64 {
    let n = 20_000_000;
    drop(crossbeam_epoch::pin());
    let start = Instant::now();
    for _ in 0..n {
        std::hint::black_box(crossbeam_epoch::pin());
    }
    per(n, start.elapsed())
}

/// Median us from a spawn by an outside thread to the first instruction of the job.
fn wake(threads: usize) -> f64 {
    let pool = pool(threads);
    let began = Instant::now();
    let mut all: Vec<u64> = (0..2001)
        .map(|_| {
            thread::sleep(Duration::from_micros(200));
            let at = Arc::new(AtomicU64::new(0));
            let seen = at.clone();
            let start = began.elapsed().as_nanos() as u64;
            pool.spawn(move || seen.store(began.elapsed().as_nanos() as u64, Ordering::Release));
            while at.load(Ordering::Acquire) == 0 {
                thread::yield_now();
            }
            at.load(Ordering::Acquire) - start
        })
        .collect();
    all.sort_unstable();
    all[all.len() / 2] as f64 / 1e3
}

/// ns of an empty job from inside the pool.
fn spawn(threads: usize) -> f64 {
    let n = 1_000_000;
    let pool = pool(threads);
    let start = Instant::now();
    pool.scope(|s| {
        for _ in 0..n {
            s.spawn(|_| ());
        }
    });
    per(n, start.elapsed())
}

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let ring = bounded::<usize>;
    let figure = match name.as_str() {
        "chan-spsc" => { let (tx, rx) = ring(1024); channel(tx, rx, MESSAGES, 1, 1) }
        "chan-4p1c" => { let (tx, rx) = ring(1024); channel(tx, rx, MESSAGES, 4, 1) }
        "chan-1p4c" => { let (tx, rx) = ring(1024); channel(tx, rx, MESSAGES, 1, 4) }
        "chan-4p4c" => { let (tx, rx) = ring(1024); channel(tx, rx, MESSAGES, 4, 4) }
        "chan-unbounded" => { let (tx, rx) = unbounded(); channel(tx, rx, MESSAGES, 1, 1) }
        "chan-one" => { let (tx, rx) = ring(1); channel(tx, rx, MESSAGES / 10, 1, 1) }
        "chan-rendezvous" => { let (tx, rx) = ring(0); channel(tx, rx, MESSAGES / 50, 1, 1) }
        "chan-std" => std_spsc(),
        "chan-ping-pong" => ping_pong(MESSAGES / 20),
        "select-four" => select_four(MESSAGES / 2),
        "join-1" => join(1),
        "join-2" => join(2),
        "spawn" => spawn(2),
        "sum-serial" => sum(0),
        "sum-1" => sum(1),
        "sum-2" => sum(2),
        "epoch-pin" => epoch_pin(),
        "pool-wake" => wake(2),
        _ => {
            eprintln!("sync-comparator: there is no figure \"{name}\"");
            std::process::exit(2);
        }
    };
    println!("{figure:.3}");
}
