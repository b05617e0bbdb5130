//! Stories: worlds in which nothing happens by chance. Each is what a seed has found, in its smallest form; the model
//! and the ending judge it as they judge every world.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use asl::Payload;
use engine::api::StartExecution;
use engine::{Engine, Error};
use machine::Status;

use crate::clients::{
    Operation, describe_machine_named, describe_named, machine_arn, send, start_named, stop_named, update_named,
};
use crate::plan::Plan;
use crate::programs::{DEFINITIONS, INPUTS};
use crate::redrive::redrive_named;
use crate::script::{Fate, Said, Says};
use crate::services::Token;
use crate::world::World;
use crate::{Report, ending, express, house, simulate, workers};

const LANDS: (Fate, u64) = (Fate::Lands, 0);

/// A world with one process and all state machines, in which `act` happens and which then comes to its end.
fn tell(change: impl FnOnce(&mut Plan), act: impl AsyncFnOnce(Arc<World>)) -> Report {
    let mut plan = Plan::quiet(0);
    plan.scripted = true;
    change(&mut plan);
    let report = simulate(plan, true, async |world| {
        assert!(house::start(&world).await);
        house::furnish(&world).await;
        act(world.clone()).await;
        ending::settle(&world).await;
    });
    assert_eq!(report.violation, None, "{}", report.transcript);
    report
}

fn is_over(report: &Report, times: u64) {
    let ends = ["Succeeded", "Failed", "Aborted", "TimedOut"];
    let ended: u64 = ends.iter().filter_map(|end| report.seen.get(&format!("record.Execution{end}"))).sum();
    assert_eq!(ended, times, "{}", report.transcript);
}

fn seen(report: &Report, what: &str) -> u64 {
    report.seen.get(what).copied().unwrap_or_default()
}

fn execution(machine: &str) -> String {
    engine::arn::execution_arn(&machine_arn(machine), "e")
}

async fn start(world: &World, machine: &str) -> bool {
    start_named(world, machine, "e", INPUTS[0]).await
}

fn fates(world: &World, fates: impl IntoIterator<Item = (Fate, u64)>) {
    world.state().script.commits.extend(fates);
}

fn says(world: &World, late_ms: u64, acts: bool, answer: Said) {
    world.state().script.services.push_back(Says { late_ms, acts, answer });
}

fn last_token(world: &World) -> Token {
    world.state().services.tokens.last().expect("somebody was given a token").clone()
}

fn kill_owner(world: &World) {
    let (life, _) = world.owner().expect("one lives");
    house::kill(world, &life);
}

/// Something is asked whose commit lands unheard; meanwhile the process is being shut down, and is then asked to stop the
/// execution, which it must load for that.
async fn stop_while_shut_down(world: &World, machine: &str, known: bool, asked: impl Future<Output = bool>) {
    fates(world, [(Fate::ErrorAfter, 100)]);
    let (_, engine) = world.owner().expect("one lives");
    let shut_down = async {
        world.sleep_ms(50).await;
        engine.shutdown().await;
    };
    let stop = async {
        world.sleep_ms(150).await;
        stop_named(world, &execution(machine), known).await;
        world.sleep_ms(100).await;
    };
    tokio::join!(asked, shut_down, stop);
    kill_owner(world);
}

#[test]
fn a_start_of_unknown_fate_goes_on() {
    let report = tell(
        |_| {},
        async |world| {
            fates(&world, [(Fate::ErrorAfter, 0)]);
            assert!(!start(&world, "calls").await, "nobody is told that it landed");
        },
    );
    is_over(&report, 1);
}

#[test]
fn an_end_of_unknown_fate_is_shown_to_all() {
    tell(
        |_| {},
        async |world| {
            start(&world, "far").await;
            world.sleep_ms(1_000).await;
            fates(&world, [(Fate::ErrorAfter, 0)]);
            stop_named(&world, &execution("far"), true).await;
            world.sleep_ms(2_000).await;
            assert_eq!(describe_named(&world, &execution("far"), true).await, Some(Status::Aborted));
            // The model knows when it was stopped.
            stop_named(&world, &execution("far"), true).await;
        },
    );
}

#[test]
fn what_the_store_has_shown_is_not_taken_back_by_memory() {
    tell(
        |_| {},
        async |world| {
            start(&world, "far").await;
            world.sleep_ms(1_000).await;
            // The end lands and nobody hears of it; the list is read from the store, and then the memory is asked.
            fates(&world, [(Fate::ErrorAfter, 0)]);
            stop_named(&world, &execution("far"), true).await;
            assert_eq!(describe_named(&world, &execution("far"), true).await, Some(Status::Aborted));
        },
    );
}

#[test]
fn what_is_on_the_disk_and_not_heard_of_is_not_told() {
    tell(
        |_| {},
        async |world| {
            start(&world, "far").await;
            kill_owner(&world);
            assert!(house::take(&world).await);
            world.sleep_ms(1_000).await;
            // One reads the end from the disk before the stop is answered; the next one is told what is in memory.
            fates(&world, [(Fate::HeardLate, 0)]);
            world.state().script.slow_reads.push_back(100);
            let stop = async {
                world.sleep_ms(50).await;
                stop_named(&world, &execution("far"), true).await;
            };
            let early = async { describe_named(&world, &execution("far"), true).await };
            let late = async {
                world.sleep_ms(300).await;
                describe_named(&world, &execution("far"), true).await
            };
            let ((), early, late) = tokio::join!(stop, early, late);
            assert_eq!((early, late), (Some(Status::Running), Some(Status::Running)));
        },
    );
}

#[test]
fn what_is_redriven_while_it_is_read_is_read_again() {
    let report = tell(
        |plan| plan.settings.resident_bytes = 1,
        async |world| {
            start(&world, "job").await;
            stop_named(&world, &execution("job"), true).await;
            world.sleep_ms(1_000).await;
            world.state().script.slow_reads.push_back(100);
            let job = execution("job");
            let redrive = async {
                world.sleep_ms(50).await;
                redrive_named(&world, &job, true, None).await;
            };
            let (status, ()) = tokio::join!(describe_named(&world, &job, true), redrive);
            assert_eq!(status, Some(Status::Running));
        },
    );
    assert_eq!(seen(&report, "op.redrive"), 1);
}

#[test]
fn a_full_disk_asks_no_service_twice() {
    let report = tell(
        |_| {},
        async |world| {
            says(&world, 100, true, Said::Yes);
            fates(&world, [LANDS]);
            fates(&world, [(Fate::Full, 0); 30]);
            start(&world, "message").await;
            world.sleep_ms(600_000).await;
        },
    );
    assert_eq!(seen(&report, "service.asked") + seen(&report, "service.resent"), 1);
    is_over(&report, 1);
}

#[test]
fn a_success_that_finds_the_history_full_is_not_taken() {
    let report = tell(
        |plan| plan.settings.limits.events = 6,
        async |world| {
            start(&world, "patient-callback").await;
            world.sleep_ms(100).await;
            send(&world, &last_token(&world), Operation::Success).await;
        },
    );
    assert_eq!((seen(&report, "op.success"), seen(&report, "op.success late")), (0, 1));
    assert_eq!(seen(&report, "record.ExecutionFailed"), 1);
}

#[test]
fn a_request_that_may_have_been_sent_says_so() {
    let report = tell(
        |_| {},
        async |world| {
            says(&world, 0, true, Said::Nothing);
            // The news that it was sent are still under way when the process dies.
            fates(&world, [LANDS, (Fate::DiesBefore, 100)]);
            start(&world, "message").await;
            world.sleep_ms(1_000).await;
            assert!(house::take(&world).await);
        },
    );
    assert_eq!((seen(&report, "service.asked"), seen(&report, "service.resent")), (1, 1));
}

#[test]
fn the_job_of_a_request_that_was_refused_the_second_time_is_stopped() {
    let report = tell(
        |_| {},
        async |world| {
            says(&world, 0, true, Said::Nothing);
            start(&world, "job").await;
            world.sleep_ms(100).await;
            kill_owner(&world);
            says(&world, 500, false, Said::Fails("Service.Busy"));
            world.state().script.unreachable = 2;
            assert!(house::take(&world).await);
            world.sleep_ms(100).await;
            stop_named(&world, &execution("job"), true).await;
        },
    );
    assert_eq!(seen(&report, "service.cancelled"), 1);
}

#[test]
fn a_job_that_is_submitted_and_stopped_in_one_turn_is_paid_for() {
    let report = tell(
        |_| {},
        async |world| {
            says(&world, 10, true, Said::Yes);
            // While the news of the start are written, the submission and the stop come in.
            fates(&world, [LANDS, (Fate::Lands, 100)]);
            start(&world, "job").await;
            world.sleep_ms(50).await;
            stop_named(&world, &execution("job"), true).await;
        },
    );
    assert_eq!(seen(&report, "record.TaskSubmitted"), 1);
    assert_eq!((seen(&report, "service.cancelled"), seen(&report, "record.Settled")), (1, 1));
}

#[test]
fn one_stops_a_job_of_which_two_know() {
    let report = tell(
        |_| {},
        async |world| {
            says(&world, 10, true, Said::Yes);
            // The turn that takes the submission and the stop lands, and nobody hears of it.
            fates(&world, [LANDS, (Fate::Lands, 100), (Fate::ErrorAfter, 0)]);
            start(&world, "job").await;
            world.sleep_ms(50).await;
            stop_named(&world, &execution("job"), true).await;
        },
    );
    assert_eq!(seen(&report, "record.Settled"), 1);
}

#[test]
fn who_has_lost_the_store_hands_nothing_out() {
    tell(
        |_| {},
        async |world| {
            let activity = workers::activity_arn("patient");
            start(&world, "patient-work").await;
            let (old, engine) = world.owner().expect("one lives");
            assert!(house::take(&world).await);
            assert!(old.superseded.load(Ordering::Relaxed));
            let token = workers::poll(&world, "patient", 1, 1_000).await;
            for _ in 0..3 {
                let work = engine.get_activity_task(&activity, None, Duration::from_secs(1)).await;
                assert!(!matches!(work, Ok(Some(_))), "handed out twice: {work:?}");
            }
            send(&world, &token.expect("the owner hands it out"), Operation::Success).await;
        },
    );
}

#[test]
fn who_has_lost_the_store_sends_nothing() {
    let report = tell(
        |_| {},
        async |world| {
            let (_, old) = world.owner().expect("one lives");
            assert!(house::take(&world).await);
            // The new owner's news of the start are still being written when the old one is asked to stop it.
            fates(&world, [LANDS, (Fate::Lands, 300)]);
            let stop = async {
                world.sleep_ms(100).await;
                let stopped = old.stop_execution(&execution("message"), None, None).await;
                assert!(stopped.is_err(), "{stopped:?}");
            };
            tokio::join!(start(&world, "message"), stop);
        },
    );
    assert_eq!((seen(&report, "service.asked"), seen(&report, "service.resent")), (1, 0));
}

#[test]
fn a_worker_who_goes_leaves_the_task_to_the_next_one() {
    for leaves_after in [0, 50, 99] {
        tell(
            |_| {},
            async |world| {
                let activity = workers::activity_arn("patient");
                let (_, engine) = world.owner().expect("one lives");
                let poll = engine.get_activity_task(&activity, None, Duration::from_secs(10));
                let leaves = Duration::from_millis(100 + leaves_after);
                // It is being written that the task is handed out when the worker leaves.
                fates(&world, [(Fate::Lands, 100), (Fate::Lands, 100)]);
                let (gone, _) = tokio::join!(tokio::time::timeout(leaves, poll), start(&world, "patient-work"));
                assert!(gone.is_err(), "after {leaves:?}");
                assert!(workers::poll(&world, "patient", 1, 1_000).await.is_some());
            },
        );
    }
}

#[test]
fn who_is_being_shut_down_leaves_no_work_of_what_it_stops() {
    // That it was started is not heard, so it is loaded to be stopped; by then the process takes up nothing new.
    let report = tell(
        |_| {},
        async |world| {
            stop_while_shut_down(&world, "patient-work", false, start(&world, "patient-work")).await;
        },
    );
    assert_eq!(seen(&report, "record.ExecutionAborted"), 1);
}

#[test]
fn who_is_being_shut_down_settles_no_debt_that_it_has_not_paid() {
    // The end of one iteration is not heard of, so its span is owed when the execution is loaded to be stopped.
    let report = tell(
        |_| {},
        async |world| {
            start(&world, "items").await;
            let token = workers::poll(&world, "busy", 1, 1_000).await.expect("there is work");
            stop_while_shut_down(&world, "items", true, send(&world, &token, Operation::Success)).await;
        },
    );
    assert_eq!((seen(&report, "record.IterationSucceeded"), seen(&report, "record.ExecutionAborted")), (1, 1));
}

#[test]
fn an_execution_that_cannot_be_read_is_looked_for_again() {
    let report = tell(
        |_| {},
        async |world| {
            says(&world, 0, true, Said::Nothing);
            start(&world, "message").await;
            world.sleep_ms(100).await;
            kill_owner(&world);
            assert!(house::take(&world).await);
            world.state().script.failing_reads = 5;
            world.sleep_ms(60_000).await;
        },
    );
    is_over(&report, 1);
}

#[test]
fn a_slow_reader_does_not_bring_back_what_was_changed() {
    tell(
        |_| {},
        async |world| {
            kill_owner(&world);
            assert!(house::take(&world).await);
            world.sleep_ms(1_000).await;
            world.state().script.slow_reads.push_back(100);
            let change = async {
                world.sleep_ms(50).await;
                update_named(&world, "calls").await;
            };
            tokio::join!(describe_machine_named(&world, "calls"), change);
            describe_machine_named(&world, "calls").await;
        },
    );
}

/// Deletes the state machine `far` while an execution of it runs, stops that with whatever goes wrong, and then looks.
fn tell_of_a_deletion(goes_wrong: impl FnOnce(&World), look: impl AsyncFnOnce(Arc<World>, Engine)) {
    let mut plan = Plan::quiet(0);
    plan.scripted = true;
    let report = simulate(plan, true, async |world| {
        assert!(house::start(&world).await);
        house::furnish(&world).await;
        start(&world, "far").await;
        world.sleep_ms(1_000).await;
        let (_, engine) = world.owner().expect("one lives");
        engine.delete_state_machine(&machine_arn("far")).await.expect("the store is well");
        assert!(engine.state_machine(&machine_arn("far")).await.is_ok(), "it goes when its last execution has ended");
        goes_wrong(&world);
        stop_named(&world, &execution("far"), true).await;
        look(world, engine).await;
    });
    assert_eq!(report.violation, None, "{}", report.transcript);
}

#[test]
fn a_deleted_state_machine_goes_also_when_the_store_was_unwell() {
    tell_of_a_deletion(
        // Whether it was the last execution cannot be read.
        |world| world.state().script.failing_reads = 1,
        async |world, engine| {
            world.sleep_ms(60_000).await;
            let gone = engine.state_machine(&machine_arn("far")).await;
            assert!(matches!(gone, Err(Error::StateMachineDoesNotExist(_))), "{gone:?}");
        },
    );
}

#[test]
fn a_state_machine_that_went_unheard_does_not_take_its_successor_along() {
    tell_of_a_deletion(
        |world| world.state().script.items.push_back(Fate::ErrorAfter),
        async |world, engine| {
            world.sleep_ms(1_000).await;
            let far = DEFINITIONS.iter().find(|definition| definition.name == "far").expect("it is in the table");
            engine.create_state_machine(house::creation(far)).await.expect("the name is free");
            start_named(&world, "far", "f", INPUTS[0]).await;
            world.sleep_ms(3_600_000).await;
            assert!(engine.state_machine(&machine_arn("far")).await.is_ok(), "the new one stays");
        },
    );
}

#[test]
fn an_express_execution_that_runs_is_not_run_again() {
    let report = tell(
        |_| {},
        async |world| {
            kill_owner(&world);
            assert!(house::take(&world).await);
            // What was running before cannot be read yet; when it can, another one runs.
            world.state().script.failing_reads = 100;
            world.sleep_ms(100).await;
            world.state().script.failing_reads = 0;
            express::start(&world).await;
            world.sleep_ms(5_000).await;
        },
    );
    assert_eq!((seen(&report, "op.start express"), seen(&report, "service.asked")), (1, 1));
}

#[test]
fn an_express_start_of_unknown_fate_leaves_no_row() {
    let report = tell(
        |_| {},
        async |world| {
            world.state().script.items.push_back(Fate::ErrorAfter);
            express::start(&world).await;
        },
    );
    assert_eq!((seen(&report, "op.start express"), seen(&report, "service.asked")), (0, 0));
}

#[test]
fn a_name_that_is_used_again_has_requests_of_its_own() {
    let report = tell(
        |plan| plan.settings.retention.age = Some(Duration::from_secs(60)),
        async |world| {
            for _ in 0..2 {
                assert!(start(&world, "message").await, "the name is free");
                world.sleep_ms(120_000).await;
            }
        },
    );
    assert_eq!((seen(&report, "service.asked"), seen(&report, "record.ExecutionFailed")), (2, 2));
}

#[test]
fn who_deletes_what_another_has_deleted_knows_it_no_more() {
    let mut plan = Plan::quiet(0);
    plan.scripted = true;
    let report = simulate(plan, true, async |world| {
        assert!(house::start(&world).await);
        house::furnish(&world).await;
        let (_, old) = world.owner().expect("one lives");
        assert!(house::take(&world).await);
        let (_, engine) = world.owner().expect("one lives");
        let far = machine_arn("far");
        start_named(&world, "far", "e", INPUTS[0]).await;
        stop_named(&world, &execution("far"), true).await;
        old.delete_state_machine(&far).await.expect("what is deleted has no owner");
        engine.delete_state_machine(&far).await.expect("and to delete it again is no mistake");
        let input = Payload::trusted(INPUTS[0]);
        let request = StartExecution { machine: far, name: None, input, trace_header: None, parent: None };
        let answer = engine.start_execution(request).await;
        assert!(matches!(answer, Err(Error::StateMachineDoesNotExist(_))), "{answer:?}");
    });
    assert_eq!(report.violation, None, "{}", report.transcript);
}
