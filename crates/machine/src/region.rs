//! Regions: the branches of a Parallel and the iterations of a Map, from their opening to their end.
//!
//! In AWS's histories a region's own Succeeded event stands beside the chain, an iteration that takes a freed slot
//! comes from the last event inside the one that freed it, and when one branch fails the others are aborted.

use crate::execution::Phase;
use crate::failure::Failure;
use crate::record::{Body, EventId, FrameId};
use crate::states::{self, Fault};
use crate::turn::{Going, Walk, start_of};
use asl::{Kind, Map, Payload};

/// The region has just started: a Parallel's branches exist and may go on.
pub(crate) fn opened(walk: &mut Walk, id: FrameId) {
    let region = walk.execution.frame(id).region.as_ref().expect("just started");
    let children = region.children.clone();
    walk.ready.extend(children);
    walk.ready.insert(id);
}

/// Opens what may be opened, and ends the region when all is done. Tells whether the frame can go on.
pub(crate) fn advance(walk: &mut Walk, id: FrameId) -> Going<bool> {
    let program = walk.program;
    let state = walk.execution.frame(id).state;
    if let Kind::Map(map) = &program.state(state).kind
        && !fill(walk, id, map)?
    {
        return Ok(false);
    }
    let region = walk.execution.frame(id).region.as_ref().expect("the frame is in a region");
    let is_map = matches!(walk.kind(id), Kind::Map(_));
    let all_done =
        if is_map { region.succeeded + region.failed == region.length } else { region.done == region.length };
    if !all_done {
        return Ok(false);
    }
    if region.joined.is_none() {
        let frame = walk.execution.frame(id);
        let last = region.children.iter().map(|child| walk.execution.frame(*child).last_event).max();
        let previous = if is_map { frame.last_event } else { last.unwrap_or(frame.last_event) };
        walk.emit_after(id, previous, Body::RegionSucceeded)?;
    }
    walk.works(id);
    let result = result(walk, id);
    let scene = walk.scene(id);
    let result = scene.within_limit(result, &scene.state.name).and_then(|result| scene.within_depth(result));
    let decision = result.map_err(Fault::from).and_then(|result| states::end_work(&scene, result));
    walk.follow(id, decision)?;
    Ok(true)
}

/// Starts iterations while slots are free. False where the Map itself has failed over it.
fn fill(walk: &mut Walk, id: FrameId, map: &Map) -> Going<bool> {
    let input = walk.map_input(id);
    let most = input.and_then(|input| Ok((states::map::concurrency(&walk.scene(id), map, &input)?, input)));
    let (most, state_input) = match most {
        Ok(found) => found,
        Err(fault) => return fail(walk, id, fault).map(|()| false),
    };
    loop {
        let region = walk.execution.frame(id).region.as_ref().expect("the frame is in a region");
        let index = region.children.len() as u32;
        let previous = region.freed_by;
        if let Some(index) = region.to_resume.front().copied().filter(|_| region.running() < most) {
            let child = region.children[index as usize];
            walk.emit_after(id, previous, Body::IterationResumed { index })?;
            walk.ready_below(child);
            continue;
        }
        if index >= region.length || region.running() >= most {
            return Ok(true);
        }
        let items = region.items.clone();
        let input = match states::map::iteration_input(walk.scene(id), map, &state_input, &items, index) {
            Ok(input) => input,
            Err(fault) => return fail(walk, id, fault).map(|()| false),
        };
        walk.works(id);
        let child = walk.execution.free_frame();
        let start = start_of(walk.program, map.processor);
        walk.emit_after(id, previous, Body::IterationStarted { index, child, start, input })?;
        walk.ready.insert(child);
    }
}

/// The outputs in order; an iteration whose failure was tolerated has none.
fn result(walk: &Walk, id: FrameId) -> Payload {
    let region = walk.execution.frame(id).region.as_ref().expect("the frame is in a region");
    let done = region.children.iter().map(|child| walk.execution.frame(*child)).filter(|f| f.phase != Phase::Failed);
    let texts: Vec<&str> = done.map(|frame| frame.data.text().as_ref()).collect();
    Payload::trusted(format!("[{}]", texts.join(",")))
}

/// A branch or iteration has come to its end.
pub(crate) fn child_done(walk: &mut Walk, parent: FrameId, child: FrameId) -> Going {
    if let Kind::Map(_) = walk.kind(parent) {
        let frame = walk.execution.frame(child);
        let (index, previous) = (frame.index, frame.last_event);
        walk.emit_after(parent, previous, Body::IterationSucceeded { index })?;
    }
    walk.ready.insert(parent);
    Ok(())
}

/// A branch or iteration has failed, and nobody inside it has caught that.
pub(crate) fn child_failed(walk: &mut Walk, parent: FrameId, child: FrameId, mut failure: Failure) -> Going {
    let program = walk.program;
    let state = walk.execution.frame(parent).state;
    let (index, previous) = (walk.execution.frame(child).index, walk.execution.frame(child).last_event);
    let aborted = give_up(walk, child);
    if let Kind::Map(map) = &program.state(state).kind {
        walk.emit_after(parent, previous, Body::IterationFailed { index })?;
        let input = walk.map_input(parent);
        let region = walk.execution.frame(parent).region.as_ref().expect("its child has just failed");
        let (failed, length) = (f64::from(region.failed), region.length);
        match input.and_then(|input| states::map::tolerance(&walk.scene(parent), map, &input, length)) {
            Ok(Some(most)) if failed <= most => {
                walk.ready.insert(parent);
                return Ok(());
            }
            Ok(Some(_)) => failure = Failure::threshold_exceeded(),
            Ok(None) => {}
            Err(own) => failure = walk.told(parent, own)?,
        }
    }
    if let Some(body) = aborted {
        walk.emit_after(child, previous, body)?;
    }
    abort_children(walk, parent, previous)?;
    walk.fail_from(parent, previous, failure)
}

/// The state itself has failed over its region: its other lines of control stop first.
fn fail(walk: &mut Walk, id: FrameId, fault: Fault) -> Going {
    let failure = walk.told(id, fault)?;
    let previous = walk.execution.frame(id).last_event;
    abort_children(walk, id, previous)?;
    walk.fail_from(id, previous, failure)
}

fn abort_children(walk: &mut Walk, id: FrameId, previous: EventId) -> Going {
    let children = walk.execution.frame(id).region.as_ref().map(|region| region.children.clone());
    for child in children.into_iter().flatten() {
        abort(walk, child, previous)?;
    }
    Ok(())
}

/// Stops a line of control from outside, and all that it has opened.
fn abort(walk: &mut Walk, id: FrameId, previous: EventId) -> Going {
    let frame = walk.execution.frame(id);
    if matches!(frame.phase, Phase::Done | Phase::Joined | Phase::Failed | Phase::Aborted | Phase::Free) {
        return Ok(());
    }
    let (index, parent) = (frame.index, frame.parent.expect("the machine itself is not aborted here"));
    let aborted = give_up(walk, id);
    if let Kind::Map(_) = walk.kind(parent) {
        walk.emit_after(parent, previous, Body::IterationAborted { index })?;
    }
    abort_children(walk, id, previous)?;
    match aborted {
        Some(body) => walk.emit_after(id, previous, body).map(drop),
        None => Ok(()),
    }
}

/// Nothing more happens on this line of control: nobody waits for its task, and its state gets this Aborted event, if
/// its type has one. To be asked before any record that changes the frame.
fn give_up(walk: &mut Walk, id: FrameId) -> Option<Body> {
    walk.ready.remove(&id);
    let frame = walk.execution.frame(id);
    let entered = frame.phase != Phase::Enter;
    let in_region = frame.phase == Phase::InRegion;
    if let Phase::Working(task) = frame.phase {
        walk.abandon(task);
    }
    match walk.kind(id) {
        Kind::Task(_) | Kind::Wait(_) if entered => Some(Body::StateAborted),
        Kind::Parallel(_) | Kind::Map(_) if in_region => Some(Body::RegionAborted),
        _ => None,
    }
}
