"""Documents against the schema, refused with Shopify's words, codes and paths.

What lives here: graphql-ruby's static checks as Shopify answers them (recorded in
2025-01 and 2026-04). Checks it never was recorded with keep graphql-core's message and get
graphql-ruby's code. Variables' values are `coercion.py`'s.
"""

from collections.abc import Iterable
from typing import Any

from graphql import (
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    EnumValueNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    InlineFragmentNode,
    ListValueNode,
    NamedTypeNode,
    Node,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    Undefined,
    ValidationContext,
    ValidationRule,
    ValueNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
    print_ast,
    specified_rules,
    validate,
    value_from_ast_untyped,
)
from graphql.validation import (
    FieldsOnCorrectTypeRule,
    KnownArgumentNamesRule,
    KnownDirectivesRule,
    KnownTypeNamesRule,
    NoUnusedVariablesRule,
    ProvidedRequiredArgumentsRule,
    ScalarLeafsRule,
    ValuesOfCorrectTypeRule,
)

from graftport_dagster.simulator.coercion import InvalidValueError, coerce_scalar

_OWN = {
    FieldsOnCorrectTypeRule, KnownArgumentNamesRule, KnownDirectivesRule, KnownTypeNamesRule, NoUnusedVariablesRule,
    ProvidedRequiredArgumentsRule, ScalarLeafsRule, ValuesOfCorrectTypeRule,
}  # fmt: skip

# graphql-ruby's codes for what is refused with graphql-core's own message.
_CODES = {
    "ExecutableDefinitionsRule": "queryContainsNonExecutableDefinition",
    "NoUndefinedVariablesRule": "variableNotDefined",
    "VariablesInAllowedPositionRule": "variableMismatch",
    "VariablesAreInputTypesRule": "variableRequiresValidType",
    "KnownFragmentNamesRule": "useAndDefineFragment",
    "NoUnusedFragmentsRule": "useAndDefineFragment",
    "NoFragmentCyclesRule": "infiniteLoop",
    "PossibleFragmentSpreadsRule": "cannotSpreadFragment",
    "FragmentsOnCompositeTypesRule": "fragmentOnNonCompositeType",
    "OverlappingFieldsCanBeMergedRule": "fieldConflict",
    "UniqueArgumentNamesRule": "argumentNotUnique",
    "UniqueInputFieldNamesRule": "inputFieldNotUnique",
    "UniqueVariableNamesRule": "variableNotUnique",
    "UniqueOperationNamesRule": "uniquelyNamedOperations",
    "UniqueFragmentNamesRule": "fragmentNotUnique",
    "UniqueDirectivesPerLocationRule": "directiveNotUniqueForLocation",
    "LoneAnonymousOperationRule": "uniquelyNamedOperations",
    "SingleFieldSubscriptionsRule": "notASingleSubscription",
}


def validate_document(schema: GraphQLSchema, document: DocumentNode) -> list[dict[str, Any]]:
    """The errors of a document as Shopify would send them; empty when it is valid."""
    found = [error.formatted for error in validate(schema, document, [ShopifyRule], max_errors=100)]
    if found:
        return [dict(error) for error in found]
    for rule in specified_rules:
        if rule in _OWN:
            continue
        for error in validate(schema, document, [rule], max_errors=10):
            formatted = dict(error.formatted)
            formatted["extensions"] = {"code": _CODES.get(rule.__name__, "invalidDocument")}
            found.append(formatted)  # type: ignore[arg-type]
    return found  # type: ignore[return-value]


class ShopifyRule(ValidationRule):
    """The checks whose words were recorded, in one visit."""

    context: ValidationContext

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self._steps: list[str] = []

    def _report(self, node: Node, message: str, path: list[str] | None = None, **extensions: Any) -> None:
        steps: list[str | int] = [*(path if path is not None else self._steps)]
        self.report_error(GraphQLError(message, node, path=steps, extensions=extensions))

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> None:
        """The start of a path, and variables that nobody uses."""
        name = f" {node.name.value}" if node.name else ""
        self._steps = [f"{node.operation.value}{name}"]
        used = {usage.node.name.value for usage in self.context.get_recursive_variable_usages(node)}
        shown = node.name.value if node.name else f"anonymous {node.operation.value}"
        for definition in node.variable_definitions or ():
            variable = definition.variable.name.value
            if variable not in used:
                message = f"Variable ${variable} is declared by {shown} but not used"
                self._report(definition, message, code="variableNotUsed", variableName=variable)

    def enter_fragment_definition(self, node: FragmentDefinitionNode, *_: Any) -> None:
        """A fragment on a type that is not there."""
        self._steps = [f"fragment {node.name.value}"]
        self._check_condition(node.type_condition)

    def enter_inline_fragment(self, node: InlineFragmentNode, *_: Any) -> None:
        """Likewise, within a selection."""
        condition: NamedTypeNode | None = node.type_condition
        self._steps.append("..." if condition is None else f"... on {condition.name.value}")
        if condition is not None:
            self._check_condition(condition)

    def leave_inline_fragment(self, *_: Any) -> None:
        """One step up."""
        self._steps.pop()

    def _check_condition(self, condition: NamedTypeNode) -> None:
        name = condition.name.value
        if self.context.schema.get_type(name) is None:
            message = f"No such type {name}, so it can't be a fragment condition"
            self._report(condition, message, code="undefinedType", typeName=name)

    def enter_variable_definition(self, node: Any, *_: Any) -> None:
        """A variable of a type that is not there."""
        declared = node.type
        while not isinstance(declared, NamedTypeNode):
            declared = declared.type
        name = declared.name.value
        if self.context.schema.get_type(name) is None:
            message = f"{name} isn't a defined input type (on ${node.variable.name.value})"
            self._report(
                node, message,
                code="variableRequiresValidType", typeName=name, variableName=node.variable.name.value,
            )  # fmt: skip

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        """A field that its type does not have, its arguments and its selection."""
        self._steps.append(node.alias.value if node.alias else node.name.value)
        parent, field = self.context.get_parent_type(), self.context.get_field_def()
        if parent is None:
            return
        name = node.name.value
        if field is None:
            message = f"Field '{name}' doesn't exist on type '{parent.name}'"
            self._report(node, message, code="undefinedField", typeName=parent.name, fieldName=name)
            return
        self._check_arguments(node, "Field", name, field.args)
        self._check_selection(node, get_named_type(field.type))

    def leave_field(self, *_: Any) -> None:
        """One step up."""
        self._steps.pop()

    def _check_selection(self, node: FieldNode, returned: Any) -> None:
        name = node.name.value
        if is_leaf_type(returned) and node.selection_set:
            message = f"Selections can't be made on scalars (field '{name}' returns {returned.name} but has selections)"
        elif not is_leaf_type(returned) and not node.selection_set:
            hint = f"Did you mean '{name} {{ ... }}'?"
            message = (
                f"Field must have selections (field '{name}' returns {returned.name} but has no selections. {hint})"
            )
        else:
            return
        code, subject = "selectionMismatch", f"field '{name}'"
        self._report(node, message, code=code, nodeName=subject, typeName=returned.name)

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        """A directive that is not there, and its arguments."""
        name = node.name.value
        directive = self.context.get_directive()
        if directive is None:
            message = f"Directive @{name} is not defined"
            self._report(node, message, code="undefinedDirective", directiveName=name)
            return
        self._check_arguments(node, "Directive", name, directive.args)

    def _check_arguments(
        self, node: FieldNode | DirectiveNode, owner: str, name: str, accepted: dict[str, Any]
    ) -> None:
        given = {argument.name.value: argument for argument in node.arguments or ()}
        for key, argument in given.items():
            if key in accepted:
                self._check_argument(argument, owner, name, accepted[key].type, [*self._steps, key])
                continue
            message = f"{owner} '{name}' doesn't accept argument '{key}'"
            self._report(
                argument, message, [*self._steps, key],
                code="argumentNotAccepted", name=name, typeName=owner, argumentName=key,
            )  # fmt: skip
        missing = [key for key, it in accepted.items() if key not in given and _is_required(it)]
        if missing:
            arguments = ", ".join(missing)
            message = f"{owner} '{name}' is missing required arguments: {arguments}"
            self._report(
                node, message, code="missingRequiredArguments", className=owner, name=name, arguments=arguments
            )

    def _check_argument(
        self, node: ArgumentNode | Any, owner: str, owner_name: str, declared: GraphQLInputType, path: list[str]
    ) -> None:
        try:
            fits = self._fits(node.value, declared, path)
        except InvalidValueError as error:
            self._report(node, str(error), path, code="argumentLiteralsIncompatible", typeName="CoercionError")
            return
        if not fits:
            key = node.name.value
            shown = print_ast(node.value)
            about = f"Argument '{key}' on {owner} '{owner_name}'"
            message = f"{about} has an invalid value ({shown}). Expected type '{declared}'."
            self._report(node, message, path, code="argumentLiteralsIncompatible", typeName=owner, argumentName=key)

    def _fits(self, value: ValueNode, declared: GraphQLInputType, path: list[str]) -> bool:
        if isinstance(value, VariableNode):
            return True
        if isinstance(declared, GraphQLNonNull):
            return not isinstance(value, NullValueNode) and self._fits(value, declared.of_type, path)
        if isinstance(value, NullValueNode):
            return True
        if isinstance(declared, GraphQLList):
            items = value.values if isinstance(value, ListValueNode) else (value,)
            return _all_of(self._fits(item, declared.of_type, path) for item in items)
        if isinstance(declared, GraphQLInputObjectType):
            if not isinstance(value, ObjectValueNode):
                return False
            self._check_object(value, declared, path)
            return True
        return self._fits_leaf(value, declared)

    def _fits_leaf(self, value: ValueNode, declared: Any) -> bool:
        if isinstance(declared, GraphQLEnumType):
            return isinstance(value, EnumValueNode) and value.value in declared.values
        if isinstance(value, EnumValueNode):
            return False
        if isinstance(value, ListValueNode | ObjectValueNode):
            return bool(declared.name == "JSON")
        try:
            coerce_scalar(declared.name, value_from_ast_untyped(value))
        except InvalidValueError as error:
            if str(error).startswith("Could not coerce"):
                return False
            raise
        return True

    def _check_object(self, node: ObjectValueNode, declared: GraphQLInputObjectType, path: list[str]) -> None:
        given = {field.name.value: field for field in node.fields}
        for key, field in given.items():
            if key in declared.fields:
                self._check_argument(field, "InputObject", declared.name, declared.fields[key].type, [*path, key])
                continue
            message = f"InputObject '{declared.name}' doesn't accept argument '{key}'"
            self._report(
                field, message, [*path, key],
                code="argumentNotAccepted", name=declared.name, typeName="InputObject", argumentName=key,
            )  # fmt: skip
        for key, accepted in declared.fields.items():
            if key not in given and _is_required(accepted):
                message = (
                    f"Argument '{key}' on InputObject '{declared.name}' is required. Expected type {accepted.type}"
                )
                self._report(
                    node, message, [*path, key], code="missingRequiredInputObjectAttribute",
                    argumentName=key, argumentType=str(accepted.type), inputObjectType=declared.name,
                )  # fmt: skip
        nulls = any(isinstance(field.value, NullValueNode) for field in given.values())
        if declared.is_one_of and (len(given) != 1 or nulls):
            message = f"OneOf Input Object '{declared.name}' must specify exactly one key."
            self._report(node, message, path, code="invalidOneOfInputObject", inputObjectType=declared.name)


def _all_of(checks: Iterable[bool]) -> bool:
    """Whether all hold; every one is made, because each reports what it finds."""
    return all(list(checks))


def _is_required(argument: Any) -> bool:
    return isinstance(argument.type, GraphQLNonNull) and argument.default_value is Undefined
