//! Which workflow variables a state sets, and which it reads: what `variableReferences` tells. On the way, what its
//! expressions weigh.
//!
//! Every field that may hold a path, a template or an expression is looked into, in both languages. A new field belongs
//! here, too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jsonpath::Head;

use crate::jsonata::Expression;
use crate::program::*;

impl Program {
    /// The variables that each state reads, sorted; states that read none are left out. (Recorded: AWS names states
    /// without their place, and does not count what is only set.)
    pub fn variable_references(&self) -> BTreeMap<Arc<str>, Vec<Arc<str>>> {
        let read = self.states.iter().map(|state| (state.name.clone(), state.variable_references()));
        read.filter(|(_, variables)| !variables.is_empty()).collect()
    }
}

impl State {
    /// Its own `Assign` and those of its rules and catchers.
    pub fn assigns(&self) -> impl Iterator<Item = &Assign> {
        let rules = match &self.kind {
            Kind::Choice(choice) => &choice.rules[..],
            _ => &[],
        };
        let catchers = self.catchers().iter().filter_map(|catcher| catcher.assign.as_ref());
        self.assign.iter().chain(rules.iter().filter_map(|rule| rule.assign.as_ref())).chain(catchers)
    }

    /// The variables that it reads, sorted.
    pub fn variable_references(&self) -> Vec<Arc<str>> {
        let mut read = Read::default();
        read.state(self);
        read.variables.into_iter().collect()
    }

    /// What its expressions may take altogether.
    pub(crate) fn weigh(&self) -> u32 {
        let mut read = Read::default();
        read.state(self);
        read.work
    }

    fn catchers(&self) -> &[Catcher] {
        match &self.kind {
            Kind::Task(task) => &task.catch,
            Kind::Parallel(parallel) => &parallel.catch,
            Kind::Map(map) => &map.catch,
            _ => &[],
        }
    }
}

impl Assign {
    /// The names of the variables.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        let (templates, computed) = match self {
            Assign::Templates(variables) => (&variables[..], &[][..]),
            Assign::Computed(variables) => (&[][..], &variables[..]),
        };
        templates.iter().map(|(name, _)| name).chain(computed.iter().map(|(name, _)| name))
    }
}

#[derive(Default)]
struct Read {
    variables: BTreeSet<Arc<str>>,
    work: u32,
}

impl Read {
    fn state(&mut self, state: &State) {
        self.selection(&state.input_path);
        self.selection(&state.output_path);
        self.computed(state.output.as_ref());
        for assign in state.assigns() {
            match assign {
                Assign::Templates(variables) => variables.iter().for_each(|(_, value)| self.template(Some(value))),
                Assign::Computed(variables) => variables.iter().for_each(|(_, value)| self.computed(Some(value))),
            }
        }
        for catcher in state.catchers() {
            self.computed(catcher.output.as_ref());
        }
        match &state.kind {
            Kind::Task(task) => {
                self.template(task.parameters.as_ref());
                self.template(task.result_selector.as_ref());
                self.template(task.credentials.as_ref());
                self.computed(task.arguments.as_ref());
                self.computed(task.computed_credentials.as_ref());
                self.amount(task.timeout_seconds.as_ref());
                self.amount(task.heartbeat_seconds.as_ref());
            }
            Kind::Pass(pass) => self.template(pass.parameters.as_ref()),
            Kind::Choice(choice) => {
                for rule in &choice.rules {
                    self.condition(&rule.condition);
                    self.computed(rule.output.as_ref());
                }
            }
            Kind::Wait(wait) => match wait {
                Wait::SecondsPath(path) | Wait::TimestampPath(path) => self.path(path),
                Wait::SecondsExpression(expression) | Wait::TimestampExpression(expression) => {
                    self.expression(expression);
                }
                Wait::Seconds(_) | Wait::Timestamp(_) => {}
            },
            Kind::Succeed => {}
            Kind::Fail(fail) => {
                self.text(fail.error.as_ref());
                self.text(fail.cause.as_ref());
            }
            Kind::Parallel(parallel) => {
                self.template(parallel.parameters.as_ref());
                self.template(parallel.result_selector.as_ref());
                self.computed(parallel.arguments.as_ref());
            }
            Kind::Map(map) => self.map(map),
        }
    }

    fn map(&mut self, map: &Map) {
        self.selection(&map.items_path);
        self.computed(map.items.as_ref());
        self.template(map.item_selector.as_ref());
        self.computed(map.computed_item_selector.as_ref());
        self.template(map.result_selector.as_ref());
        let counts = [&map.max_concurrency, &map.tolerated_failure_count, &map.tolerated_failure_percentage];
        counts.into_iter().for_each(|amount| self.amount(amount.as_ref()));
        if let Some(reader) = &map.distribution.item_reader {
            self.template(reader.parameters.as_ref());
            self.computed(reader.arguments.as_ref());
            self.amount(reader.max_items.as_ref());
        }
        if let Some(batcher) = &map.distribution.item_batcher {
            self.template(batcher.batch_input.as_ref());
            self.computed(batcher.computed_batch_input.as_ref());
            self.amount(batcher.max_items_per_batch.as_ref());
            self.amount(batcher.max_input_bytes_per_batch.as_ref());
        }
        if let Some(writer) = &map.distribution.result_writer {
            self.template(writer.parameters.as_ref());
            self.computed(writer.arguments.as_ref());
        }
    }

    fn path(&mut self, path: &Path) {
        if let Head::Variable(name) = &path.head {
            self.variables.insert(name.as_str().into());
        }
    }

    fn selection(&mut self, selection: &Selection) {
        if let Selection::Path(path) = selection {
            self.path(path);
        }
    }

    fn dynamic(&mut self, dynamic: &Dynamic) {
        match dynamic {
            Dynamic::Path(path) => self.path(path),
            Dynamic::Intrinsic(call) => self.call(call),
        }
    }

    fn call(&mut self, call: &Intrinsic) {
        for argument in &call.arguments {
            match argument {
                Argument::Literal(_) => {}
                Argument::Path(path) => self.path(path),
                Argument::Call(call) => self.call(call),
            }
        }
    }

    fn template(&mut self, template: Option<&Template>) {
        match template {
            None | Some(Template::Literal(_)) => {}
            Some(Template::Object(fields)) => fields.iter().for_each(|(_, field)| self.template(Some(field))),
            Some(Template::Array(items)) => items.iter().for_each(|item| self.template(Some(item))),
            Some(Template::Dynamic { value, .. }) => self.dynamic(value),
        }
    }

    fn computed(&mut self, computed: Option<&Computed>) {
        match computed {
            None | Some(Computed::Literal(_)) => {}
            Some(Computed::Expression(expression)) => self.expression(expression),
            Some(Computed::Object(fields)) => fields.iter().for_each(|(_, field)| self.computed(Some(field))),
            Some(Computed::Array(items)) => items.iter().for_each(|item| self.computed(Some(item))),
        }
    }

    fn expression(&mut self, expression: &Expression) {
        self.variables.extend(expression.references().variables.iter().cloned());
        self.work = self.work.saturating_add(if expression.is_costly() { COSTLY } else { 1 });
    }

    fn amount(&mut self, amount: Option<&Amount>) {
        match amount {
            None | Some(Amount::Literal(_)) => {}
            Some(Amount::Path(path)) => self.path(path),
            Some(Amount::Expression(expression)) => self.expression(expression),
        }
    }

    fn text(&mut self, text: Option<&Text>) {
        match text {
            None | Some(Text::Literal(_)) => {}
            Some(Text::Dynamic(dynamic)) => self.dynamic(dynamic),
            Some(Text::Expression(expression)) => self.expression(expression),
        }
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::And(all) | Condition::Or(all) => all.iter().for_each(|condition| self.condition(condition)),
            Condition::Not(condition) => self.condition(condition),
            Condition::Compare { variable, operand, .. } => {
                self.path(variable);
                if let Operand::Path(path) = operand {
                    self.path(path);
                }
            }
            Condition::Is { variable, .. } => self.path(variable),
            Condition::Computed(computed) => self.computed(Some(computed)),
        }
    }
}
