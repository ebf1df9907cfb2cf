/**
 * A lint rule of our own: code that decides gets time and chance as parameters, so that a seed repeats a run.
 * The compiler lets these names pass because they belong to the language.
 */
const isArgumentlessNew = (node) =>
  node.parent.type === 'NewExpression' && node.parent.arguments.length === 0;

function complaint(node) {
  const { parent } = node;
  const member =
    parent.type === 'MemberExpression' && parent.object === node ? memberName(parent) : undefined;
  if (node.name === 'Math') return member === 'random' ? 'Math.random' : undefined;
  if (member === 'UTC' || member === 'parse') return undefined;
  if (parent.type === 'NewExpression' && parent.callee === node && !isArgumentlessNew(node)) return undefined;
  return member ? `Date.${member}` : 'Date without an argument';
}

const memberName = ({ property, computed }) => (computed ? (property.value ?? '…') : property.name);

// `x.Date`, `{ Date: … }` and types are other things than the global of that name.
function isReference({ parent }, node) {
  if (parent.type === 'MemberExpression') return parent.object === node;
  if (parent.type === 'Property') return parent.value === node;
  return !parent.type.startsWith('TS') || parent.type.endsWith('Expression');
}

const noAmbientClockOrChance = {
  create(context) {
    return {
      Identifier(node) {
        if ((node.name !== 'Date' && node.name !== 'Math') || !isReference(node, node)) return;
        const what = complaint(node);
        if (what) {
          context.report({
            node,
            message: `${what} is not allowed here: take the time or a Random as a parameter.`,
          });
        }
      },
    };
  },
};

export default { meta: { name: 'purity' }, rules: { 'no-ambient-clock-or-chance': noAmbientClockOrChance } };
