//! No branch and no loop's end depends on uniforms alone: drivers compile kernels again for the values of such uniforms
//! (docs/kernels.md).

use naga::{AddressSpace, Block, Expression, Function, GlobalVariable, Handle, LocalVariable, Module, Statement};
use std::collections::HashMap;

/// What a value depends on, in the order of what hides what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    #[default]
    Constant,
    Uniform,
    /// Anything that differs between invocations, or that no driver knows at a dispatch.
    Other,
}

type Private = HashMap<Handle<GlobalVariable>, Source>;

/// One function, called with arguments from known sources.
struct Walk<'a> {
    module: &'a Module,
    text: &'a str,
    function: &'a Function,
    arguments: Vec<Source>,
    locals: HashMap<Handle<LocalVariable>, Source>,
    calls: HashMap<Handle<Expression>, Source>,
    private: &'a mut Private,
    result: Source,
    changed: bool,
    found: Vec<String>,
}

/// The lines of `text` with a condition that depends on uniforms alone.
pub fn specialized_conditions(text: &str) -> Vec<String> {
    let module = naga::front::wgsl::parse_str(text).unwrap_or_else(|e| panic!("{}", e.emit_to_string(text)));
    let mut private = Private::new();
    let mut found = Vec::new();
    for entry in &module.entry_points {
        let arguments = vec![Source::Other; entry.function.arguments.len()];
        loop {
            let before = private.clone();
            (_, found) = visit(&module, text, &entry.function, &arguments, &mut private);
            if private == before {
                break;
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The source of a function's result, and the conditions found in it and in what it calls.
fn visit(
    module: &Module,
    text: &str,
    function: &Function,
    arguments: &[Source],
    private: &mut Private,
) -> (Source, Vec<String>) {
    let (arguments, locals, calls) = (arguments.to_vec(), HashMap::new(), HashMap::new());
    let (result, found) = (Source::Constant, Vec::new());
    let mut walk = Walk { module, text, function, arguments, locals, calls, private, result, changed: true, found };
    // What a variable holds at the start of a loop may come from its end.
    while walk.changed {
        walk.changed = false;
        walk.found.clear();
        walk.block(&function.body, Source::Constant);
    }
    (walk.result, walk.found)
}

impl Walk<'_> {
    fn block(&mut self, block: &Block, control: Source) {
        for statement in block {
            match statement {
                Statement::Block(inner) => self.block(inner, control),
                Statement::If { condition, accept, reject } => {
                    let control = control.max(self.condition(*condition));
                    self.block(accept, control);
                    self.block(reject, control);
                }
                Statement::Switch { selector, cases } => {
                    let control = control.max(self.condition(*selector));
                    cases.iter().for_each(|case| self.block(&case.body, control));
                }
                Statement::Loop { body, continuing, break_if } => {
                    self.block(body, control);
                    self.block(continuing, control);
                    if let Some(condition) = break_if {
                        self.condition(*condition);
                    }
                }
                Statement::Store { pointer, value } => {
                    self.store(*pointer, control.max(self.source(*value)));
                }
                Statement::Return { value: Some(value) } => {
                    self.result = self.result.max(control).max(self.source(*value));
                }
                Statement::Call { function, arguments, result } => {
                    let sources: Vec<Source> = arguments.iter().map(|argument| self.source(*argument)).collect();
                    // A callee may store whatever it likes behind a pointer.
                    arguments.iter().for_each(|argument| self.store(*argument, Source::Other));
                    let callee = &self.module.functions[*function];
                    let (source, found) = visit(self.module, self.text, callee, &sources, self.private);
                    self.found.extend(found);
                    if let Some(result) = result {
                        self.calls.insert(*result, source.max(control));
                    }
                }
                _ => {}
            }
        }
    }

    /// Notes a condition that depends on uniforms alone; returns what it depends on.
    fn condition(&mut self, condition: Handle<Expression>) -> Source {
        let source = self.source(condition);
        if source == Source::Uniform {
            let place = self.function.expressions.get_span(condition).location(self.text);
            let line = self.text.lines().nth(place.line_number as usize - 1).unwrap_or_default();
            self.found.push(line.trim().to_string());
        }
        source
    }

    /// Stores through a pointer; what is no pointer to a variable is left alone.
    fn store(&mut self, pointer: Handle<Expression>, source: Source) {
        let slot = match &self.function.expressions[pointer] {
            Expression::LocalVariable(variable) => self.locals.entry(*variable).or_default(),
            Expression::GlobalVariable(variable) => self.private.entry(*variable).or_default(),
            Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => return self.store(*base, source),
            _ => return,
        };
        self.changed |= source > *slot;
        *slot = source.max(*slot);
    }

    fn source(&self, expression: Handle<Expression>) -> Source {
        let all = |parts: &[Handle<Expression>]| parts.iter().map(|part| self.source(*part)).max().unwrap_or_default();
        match &self.function.expressions[expression] {
            Expression::Literal(_) | Expression::Constant(_) | Expression::ZeroValue(_) => Source::Constant,
            Expression::Compose { components, .. } => all(components),
            Expression::Access { base, index } => all(&[*base, *index]),
            Expression::AccessIndex { base: part, .. }
            | Expression::Splat { value: part, .. }
            | Expression::Swizzle { vector: part, .. }
            | Expression::Unary { expr: part, .. }
            | Expression::Relational { argument: part, .. }
            | Expression::As { expr: part, .. }
            | Expression::Load { pointer: part } => self.source(*part),
            Expression::Binary { left, right, .. } => all(&[*left, *right]),
            Expression::Select { condition, accept, reject } => all(&[*condition, *accept, *reject]),
            Expression::Math { arg, arg1, arg2, arg3, .. } => {
                let rest: Vec<_> = [*arg1, *arg2, *arg3].into_iter().flatten().collect();
                self.source(*arg).max(all(&rest))
            }
            Expression::FunctionArgument(index) => self.arguments[*index as usize],
            Expression::LocalVariable(variable) => {
                let initial = self.function.local_variables[*variable].init.map(|init| self.source(init));
                initial.unwrap_or_default().max(self.locals.get(variable).copied().unwrap_or_default())
            }
            Expression::GlobalVariable(variable) => match self.module.global_variables[*variable].space {
                AddressSpace::Uniform => Source::Uniform,
                AddressSpace::Private => self.private.get(variable).copied().unwrap_or_default(),
                _ => Source::Other,
            },
            Expression::CallResult(_) => self.calls.get(&expression).copied().unwrap_or_default(),
            _ => Source::Other,
        }
    }
}

/// A kernel with `body`, and what was found in it.
fn found_in(body: &str) -> Vec<String> {
    specialized_conditions(&format!(
        "struct Settings {{ count: u32, flag: u32, table: array<vec4u, 4> }}
        @group(0) @binding(0) var<uniform> settings: Settings;
        @group(0) @binding(1) var<storage, read_write> values: array<u32>;
        var<private> kept: u32;
        fn on(s: Settings, i: u32) -> bool {{ return s.flag + i == 1u; }}
        fn keep(i: u32) {{ kept = settings.count + i; }}
        fn loops(end: u32) {{
            for (var k = 0u; k < end; k++) {{ values[k] = k; }}
        }}
        fn unspecialized(value: u32, id: vec3u) -> u32 {{ return value + id.z; }}
        @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {{
            {body}
        }}"
    ))
}

#[test]
fn conditions_on_uniforms_alone_are_found() {
    for (body, line) in [
        ("if settings.flag != 0u { values[0] = 1u; }", None),
        ("let a = settings.flag & 1u; let b = select(1u, 2u, a == 0u); if b > 1u { values[0] = 1u; }", None),
        ("for (var k = 0u; k < settings.count; k++) { values[k] = k; }", None),
        ("var end = settings.count; if end > 7u { end = 7u; } values[0] = end;", None),
        ("switch settings.flag { case 1u: { values[0] = 1u; } default: {} }", None),
        ("if settings.table[2].y == 3u { values[0] = 1u; }", None),
        ("if on(settings, 0u) { values[0] = 1u; }", None),
        ("loops(settings.count);", Some("for (var k = 0u; k < end; k++) { values[k] = k; }")),
        ("keep(0u); if kept == 2u { values[0] = 1u; }", None),
        ("if settings.flag != 0u && values[0] == 0u { values[0] = 1u; }", None),
    ] {
        assert_eq!(found_in(body), [line.unwrap_or(body)], "in {body}");
    }
}

#[test]
fn conditions_on_anything_else_are_left_alone() {
    for body in [
        "if id.x >= settings.count { return; }",
        "if unspecialized(settings.flag, id) != 0u { values[0] = 1u; }",
        "let end = unspecialized(settings.count, id); for (var k = 0u; k < end; k++) { values[k] = k; }",
        "for (var k = id.x; k < settings.count; k += 64u) { values[k] = k; }",
        "for (var k = 0u; k < 4u; k++) { values[k] = settings.count; }",
        "var end = settings.count; if id.x > 7u { end = 7u; } if end == 7u { values[0] = 1u; }",
        "if on(settings, id.x) { values[0] = 1u; }",
        "loops(values[0]); if values[1] == settings.flag { values[0] = 1u; }",
        "keep(id.x); if kept == 2u { values[0] = 1u; }",
        "values[0] = select(1u, 2u, settings.flag != 0u);",
    ] {
        assert_eq!(found_in(body), [] as [&str; 0], "in {body}");
    }
}
