"""Makes one Python file of definitions from several modules of this program, with all that they use.

The file holds the very functions and classes with which this program answers, in the order in which the modules import each
other. Imports from this program become plain names; a name that two modules define is given its module's name in front.
"""

import ast
import importlib.util
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

PACKAGE = "recognizer"
GAP = "\n\n\n"  # between definitions
SCOPES = (ast.FunctionDef, ast.ClassDef, ast.Lambda)  # what has names of its own


@dataclass(frozen=True)
class Definition:
    """A name that a module defines."""

    module: str
    name: str


@dataclass
class _Part:
    """A statement at the top of a module: its first and last line, from 0, the last one exclusive."""

    node: ast.stmt
    names: tuple[str, ...]  # that it defines
    start: int
    end: int


@dataclass(eq=False)
class _Module:
    """The source of a module, cut into the statements that define something."""

    name: str
    source: str
    parts: list[_Part] = field(default_factory=list)
    own_imports: dict[str, Definition] = field(default_factory=dict)  # by the name that they have here
    own_modules: dict[str, str] = field(default_factory=dict)  # modules of this program, by their name here
    other_imports: dict[str, str] = field(default_factory=dict)  # import statements by the name that they bring
    annotation_names: list[str] = field(default_factory=list)  # that are imported for annotations only

    @cached_property
    def lines(self) -> list[bytes]:
        return [line.encode() for line in self.source.split("\n")]

    @cached_property
    def part_of(self) -> dict[str, _Part]:
        return {name: part for part in self.parts for name in part.names}


def bundle(entries: Iterable[Definition], replaced: Mapping[Definition, Definition], about: str, end: str) -> str:
    """The text of a Python file with the entries and all that they use.

    `replaced` are definitions of which others take the place; one whose module is not in this program is imported.
    `about` is the file's docstring, `end` the lines after all definitions.
    """
    return _Bundler(replaced).text(list(entries), about, end)


class _Bundler:
    def __init__(self, replaced: Mapping[Definition, Definition]):
        self._replaced = replaced
        self._modules: dict[str, _Module] = {}
        self._used: dict[Definition, None] = {}
        self._other_imports: set[str] = set()  # import statements of one name each

    def text(self, entries: list[Definition], about: str, end: str) -> str:
        for entry in entries:
            self._use(entry)
        names = self._final_names()
        unknown = self._annotation_names()
        if unknown:
            self._other_imports.add("from typing import Any")
        imports = "\n".join(_import_lines(self._other_imports))
        parts = [f'"""{about}"""\n\nfrom __future__ import annotations\n\n{imports}']
        if unknown:
            parts.append("\n".join(f"{name} = Any  # it stands in annotations only" for name in unknown))
        for module in self._in_order(entries):
            used = [
                part for part in module.parts if any(Definition(module.name, name) in self._used for name in part.names)
            ]
            if used:
                parts.append(self._section(module, used, names))
        return GAP.join([*parts, end])

    def _annotation_names(self) -> list[str]:
        """The names in the used definitions that their modules import for annotations only."""
        found = set()
        for module in self._modules.values():
            used = [module.part_of[one.name] for one in self._used if one.module == module.name]
            text = b"\n".join(line for part in used for line in module.lines[part.start : part.end]).decode()
            found |= {name for name in module.annotation_names if re.search(rf"\b{name}\b", text)}
        return sorted(found)

    def _in_order(self, entries: list[Definition]) -> list[_Module]:
        """All modules, each after those that it imports: what runs when the file is loaded needs what stands above it."""
        order: dict[str, _Module] = {}
        started: set[str] = set()

        def visit(name: str) -> None:
            if name in started or name not in self._modules:
                return
            started.add(name)
            module = self._modules[name]
            imported = [self._resolved(one).module for one in module.own_imports.values() if self._is_known(one)]
            for other in (*imported, *module.own_modules.values()):
                visit(other)
            order[name] = module

        for entry in entries:
            visit(self._resolved(entry).module)
        return list(order.values())

    def _is_known(self, one: Definition) -> bool:
        """Whether the module of a definition, or of what takes its place, was read: then something of it may be used."""
        return self._replaced.get(one, one).module in self._modules

    def _module(self, name: str) -> _Module:
        if name not in self._modules:
            self._modules[name] = _parsed(name)
        return self._modules[name]

    def _use(self, wanted: Definition) -> None:
        """Take a definition and all that it uses."""
        wanted = self._replaced.get(wanted, wanted)
        if not wanted.module.startswith(PACKAGE):
            self._other_imports.add(f"from {wanted.module} import {wanted.name}")
            return
        module = self._module(wanted.module)
        if wanted.name in module.own_imports:  # it is imported there from elsewhere
            self._use(module.own_imports[wanted.name])
            return
        if wanted in self._used:
            return
        part = module.part_of[wanted.name]
        self._used.update((Definition(module.name, name), None) for name in part.names)
        for _, name, attribute in _references(part.node):
            target = _target(module, name, attribute)
            if target is not None:
                self._use(target)
            elif name in module.other_imports:
                self._other_imports.add(module.other_imports[name])

    def _resolved(self, wanted: Definition) -> Definition:
        """The definition that is taken for this one."""
        wanted = self._replaced.get(wanted, wanted)
        if not wanted.module.startswith(PACKAGE):
            return wanted
        module = self._module(wanted.module)
        return self._resolved(module.own_imports[wanted.name]) if wanted.name in module.own_imports else wanted

    def _final_names(self) -> dict[Definition, str]:
        """The name of each definition in the file."""
        taken: dict[str, list[Definition]] = {}
        for one in self._used:
            taken.setdefault(one.name, []).append(one)
        return {one: name if len(ones) == 1 else _longer_name(one) for name, ones in taken.items() for one in ones}

    def _section(self, module: _Module, parts: list[_Part], names: Mapping[Definition, str]) -> str:
        """The text of a module's definitions, with their final names."""
        about = (ast.get_docstring(ast.parse(module.source)) or "").partition("\n")[0]
        text = f"# From {module.name.replace('.', '/')}.py: {about}\n"
        is_close = True  # to what stands above
        for part in parts:
            is_constant = isinstance(part.node, ast.Assign | ast.AnnAssign)
            text += ("\n" if is_close and (is_constant or part is parts[0]) else GAP) + self._part_text(
                module, part, names
            )
            is_close = is_constant
        return text

    def _part_text(self, module: _Module, part: _Part, names: Mapping[Definition, str]) -> str:
        edits = [
            edit
            for node, name, attribute in _references(part.node)
            if (target := _target(module, name, attribute)) is not None
            and (edit := (node, names.get(self._resolved(target), self._resolved(target).name)))
        ]
        lines = list(module.lines[part.start : part.end])
        for node, text in sorted(edits, key=lambda edit: (edit[0].lineno, edit[0].col_offset), reverse=True):
            row = node.lineno - 1 - part.start
            assert node.end_col_offset is not None
            lines[row] = lines[row][: node.col_offset] + text.encode() + lines[row][node.end_col_offset :]
        for name in part.names:
            if names[Definition(module.name, name)] != name and isinstance(part.node, ast.FunctionDef | ast.ClassDef):
                row = part.node.lineno - 1 - part.start
                lines[row] = lines[row].replace(
                    f" {name}".encode(), f" {names[Definition(module.name, name)]}".encode(), 1
                )
        return b"\n".join(lines).decode().rstrip()


def _import_lines(statements: Iterable[str]) -> list[str]:
    """The import statements, sorted, with one line for all names from a module."""
    names: dict[str, list[str]] = {}
    for statement in sorted(statements):
        module, _, name = statement.partition(" import ") if statement.startswith("from ") else (statement, "", "")
        names.setdefault(module, []).append(name)
    lines = [f"{module} import {', '.join(brought)}" if brought[0] else module for module, brought in names.items()]
    lines.sort(key=lambda line: (line.startswith("from "), line))
    standard = [line for line in lines if line.split()[1].partition(".")[0] in sys.stdlib_module_names]
    return [*standard, "", *(line for line in lines if line not in standard)]


def _target(module: _Module, name: str, attribute: str | None) -> Definition | None:
    """The definition of this program that a name in a module means, or an attribute of that name; None for others."""
    if attribute is not None:
        return Definition(module.own_modules[name], attribute) if name in module.own_modules else None
    if name in module.own_imports:
        return module.own_imports[name]
    return Definition(module.name, name) if name in module.part_of else None


def _longer_name(one: Definition) -> str:
    """The name with that of its module in front: SIDE of preprocess/appearance.py becomes APPEARANCE_SIDE."""
    module = one.module.rpartition(".")[2]
    bare = one.name.removeprefix("_")
    private = "_" if bare != one.name else ""
    if bare.isupper():
        return f"{private}{module.upper()}_{bare}"
    if bare[0].isupper():
        return f"{private}{module.title().replace('_', '')}{bare}"
    return f"{private}{module}_{bare}"


def _parsed(name: str) -> _Module:
    spec = importlib.util.find_spec(name)
    assert spec, f"{name} is a module of this program"
    assert spec.origin
    module = _Module(name, Path(spec.origin).read_text(encoding="utf-8"))
    nodes = ast.parse(module.source).body
    for place, node in enumerate(nodes):
        if isinstance(node, ast.Import):
            for alias in node.names:
                module.other_imports[(alias.asname or alias.name).partition(".")[0]] = ast.unparse(ast.Import([alias]))
        elif isinstance(node, ast.ImportFrom):
            _note_import_from(module, node)
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            imported = [
                alias for one in node.body if isinstance(one, ast.Import | ast.ImportFrom) for alias in one.names
            ]
            module.annotation_names += [alias.asname or alias.name for alias in imported]
        else:
            names = tuple(_defined_by(node))
            follower = nodes[place + 1] if place + 1 < len(nodes) else None
            if names:
                module.parts.append(_Part(node, names, _first_line(module, node), _last_line(node, follower)))
    return module


def _note_import_from(module: _Module, node: ast.ImportFrom) -> None:
    assert node.module, "there are no relative imports"
    for alias in node.names:
        here = alias.asname or alias.name
        if not node.module.startswith(PACKAGE):
            module.other_imports[here] = ast.unparse(ast.ImportFrom(node.module, [alias], 0))
        elif _is_module(f"{node.module}.{alias.name}"):
            module.own_modules[here] = f"{node.module}.{alias.name}"
        else:
            module.own_imports[here] = Definition(node.module, alias.name)


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # its parent is a module and no package
        return False


def _defined_by(node: ast.stmt) -> Iterator[str]:
    """The names that a statement at the top of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            yield from (one.id for one in ast.walk(target) if isinstance(one, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id


def _first_line(module: _Module, node: ast.stmt) -> int:
    """The line of the first decorator, or of the first comment directly above."""
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef | ast.ClassDef) else []
    line = min([node.lineno, *(one.lineno for one in decorators)]) - 1
    while line and module.lines[line - 1].startswith(b"#"):
        line -= 1
    return line


def _last_line(node: ast.stmt, follower: ast.stmt | None) -> int:
    """The line after the statement, and after the string below it that describes it."""
    is_described = isinstance(follower, ast.Expr) and isinstance(follower.value, ast.Constant)
    last = follower if follower is not None and is_described else node
    assert last.end_lineno is not None
    return last.end_lineno


def _references(node: ast.stmt) -> Iterator[tuple[ast.expr, str, str | None]]:
    """The names in a statement that are not local to a function or class, and attributes of such names.

    Yields the node, the name, and the attribute or None.
    """
    scopes: list[tuple[ast.AST, frozenset[str]]] = [(node, frozenset())]
    while scopes:
        scope, hidden = scopes.pop()
        own = _local_names(scope)
        inner = hidden if isinstance(scope, ast.ClassDef) else hidden | own  # methods do not see a class's names
        waiting: list[ast.AST] = [*ast.iter_child_nodes(scope)] if isinstance(scope, SCOPES) else [scope]
        while waiting:
            one = waiting.pop()
            if isinstance(one, SCOPES):
                scopes.append((one, inner))
                continue
            waiting += ast.iter_child_nodes(one)
            if isinstance(one, ast.Name) and one.id not in hidden | own:
                yield one, one.id, None
            elif (
                isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id not in hidden | own
            ):
                yield one, one.value.id, one.attr


def _local_names(scope: ast.AST) -> frozenset[str]:
    """The names that a function or class assigns, without those of functions in it; none for another statement."""
    names: set[str] = set()
    waiting = list(ast.iter_child_nodes(scope)) if isinstance(scope, SCOPES) else []
    while waiting:
        one = waiting.pop()
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
            names.add(one.id)
        elif isinstance(one, ast.arg):
            names.add(one.arg)
        elif isinstance(one, ast.alias):
            names.add((one.asname or one.name).partition(".")[0])
        elif isinstance(one, ast.FunctionDef | ast.ClassDef):
            names.add(one.name)
        if not isinstance(one, SCOPES):
            waiting += ast.iter_child_nodes(one)
    return frozenset(names)
