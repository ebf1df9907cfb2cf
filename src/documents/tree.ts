/** A sequence kept as a balanced binary tree of short chunks, never changed in place: an edit makes O(log n) new nodes and
 *  shares the rest, so every older version stays as it was, for nothing. Text, arrays and members of objects lie in these.
 *  Balanced by heights as AVL trees are, with joining and splitting as Blelloch, Ferizovic and Sun describe ("Just Join for
 *  Parallel Ordered Sets", 2016). */
import { assert } from '../base/assert.js';

/** What is known of a chunk, and summed up over a tree. */
export interface Measure {
  /** Bytes in canonical form; separators are counted with what they follow. */
  readonly bytes: number;
  /** Deepest nesting of arrays and objects inside. */
  readonly depth: number;
  /** Bytes of memory that it takes, about. */
  readonly memory: number;
}

/** Of the nodes themselves, as V8 lays them out; a leaf with the head of its chunk. */
const leafMemory = 120;
const branchMemory = 80;

interface Chunk {
  readonly length: number;
}

/** What the tree needs to know of its chunks. */
export interface Shape<C extends Chunk> {
  /** Items in a chunk, at most. */
  readonly chunkMax: number;
  slice(chunk: C, from: number, to: number): C;
  join(a: C, b: C): C;
  measure(chunk: C): Measure;
}

/** Of chunks whose items are measured one by one. */
export interface ItemShape<C extends Chunk> extends Shape<C> {
  measureAt(chunk: C, at: number): Measure;
  /** Of its deepest item, without measuring any. */
  depthIn(chunk: C): number;
}

export interface Leaf<C extends Chunk> extends Measure {
  readonly height: 0;
  readonly length: number;
  readonly chunk: C;
}

interface Branch<C extends Chunk> extends Measure {
  readonly height: number;
  readonly length: number;
  readonly left: Node<C>;
  readonly right: Node<C>;
}

type Node<C extends Chunk> = Leaf<C> | Branch<C>;
/** Empty where there is none. */
export type Tree<C extends Chunk> = Node<C> | undefined;

export function leafOf<C extends Chunk>(shape: Shape<C>, chunk: C): Leaf<C> {
  const { bytes, depth, memory } = shape.measure(chunk);
  return { height: 0, length: chunk.length, bytes, depth, memory: memory + leafMemory, chunk };
}

/** A balanced tree of chunks that are not empty. */
export function treeOf<C extends Chunk>(shape: Shape<C>, chunks: readonly C[]): Tree<C> {
  return chunks.length === 0 ? undefined : build(shape, chunks, 0, chunks.length);
}

function build<C extends Chunk>(shape: Shape<C>, chunks: readonly C[], from: number, to: number): Node<C> {
  if (to - from === 1) return leafOf(shape, chunks[from]!);
  const middle = (from + to) >> 1;
  return branch(build(shape, chunks, from, middle), build(shape, chunks, middle, to));
}

export function isLeaf<C extends Chunk>(node: Node<C>): node is Leaf<C> {
  return node.height === 0;
}

function branch<C extends Chunk>(left: Node<C>, right: Node<C>): Branch<C> {
  return {
    height: Math.max(left.height, right.height) + 1,
    length: left.length + right.length,
    bytes: left.bytes + right.bytes,
    depth: Math.max(left.depth, right.depth),
    memory: left.memory + right.memory + branchMemory,
    left,
    right,
  };
}

/** The chunk that has the item at `index`, and the index of its first item. */
export function chunkAt<C extends Chunk>(tree: Tree<C>, index: number): { chunk: C; start: number } {
  assert(tree && index >= 0 && index < tree.length, 'an item that is there');
  let node: Node<C> = tree;
  let start = 0;
  while (!isLeaf(node)) {
    const { left, right } = node;
    if (index < start + left.length) node = left;
    else {
      start += left.length;
      node = right;
    }
  }
  return { chunk: node.chunk, start };
}

/** The tree with the item at `index` replaced: `change` gives the chunk that has it with another item there. */
export function withItem<C extends Chunk>(
  shape: ItemShape<C>,
  tree: Node<C>,
  index: number,
  change: (chunk: C, offset: number) => C,
): Node<C> {
  if (isLeaf(tree)) return changedLeaf(shape, tree, index, change(tree.chunk, index));
  const { left, right } = tree;
  return index < left.length
    ? branch(withItem(shape, left, index, change), right)
    : branch(left, withItem(shape, right, index - left.length, change));
}

/** Measures one item and not the others, which may be long. */
function changedLeaf<C extends Chunk>(shape: ItemShape<C>, leaf: Leaf<C>, at: number, chunk: C): Leaf<C> {
  const [before, after] = [shape.measureAt(leaf.chunk, at), shape.measureAt(chunk, at)];
  const bytes = leaf.bytes - before.bytes + after.bytes;
  const isDeepest = before.depth === leaf.depth && after.depth < leaf.depth;
  const depth = isDeepest ? shape.depthIn(chunk) : Math.max(leaf.depth, after.depth);
  const memory = leaf.memory - before.memory + after.memory;
  return { height: 0, length: chunk.length, bytes, depth, memory, chunk };
}

/** What lies before `index` and what lies from there on. */
export function split<C extends Chunk>(shape: Shape<C>, tree: Tree<C>, index: number): [Tree<C>, Tree<C>] {
  if (!tree || index <= 0) return [undefined, tree];
  if (index >= tree.length) return [tree, undefined];
  if (isLeaf(tree)) {
    const { chunk } = tree;
    return [
      leafOf(shape, shape.slice(chunk, 0, index)),
      leafOf(shape, shape.slice(chunk, index, chunk.length)),
    ];
  }
  const { left, right } = tree;
  if (index < left.length) {
    const [before, after] = split(shape, left, index);
    return [before, after ? join(after, right) : right];
  }
  const [before, after] = split(shape, right, index - left.length);
  return [before ? join(left, before) : left, after];
}

/** Both one after the other. Short chunks where they meet become one. */
export function concat<C extends Chunk>(shape: Shape<C>, a: Tree<C>, b: Tree<C>): Tree<C> {
  if (!a || !b) return a ?? b;
  const last = edge(a, 'right');
  const first = edge(b, 'left');
  if (last.length + first.length > shape.chunkMax) return join(a, b);
  const met = leafOf(shape, shape.join(last.chunk, first.chunk));
  const [before, after] = [withoutEdge(a, 'right'), withoutEdge(b, 'left')];
  const left = before ? join(before, met) : met;
  return after ? join(left, after) : left;
}

function edge<C extends Chunk>(tree: Node<C>, side: 'left' | 'right'): Leaf<C> {
  let node = tree;
  while (!isLeaf(node)) node = node[side];
  return node;
}

function withoutEdge<C extends Chunk>(tree: Node<C>, side: 'left' | 'right'): Tree<C> {
  if (isLeaf(tree)) return undefined;
  const rest = withoutEdge(tree[side], side);
  if (!rest) return side === 'left' ? tree.right : tree.left;
  return side === 'left' ? join(rest, tree.right) : join(tree.left, rest);
}

/** Two balanced trees as one: goes down the higher one to where the other fits. */
function join<C extends Chunk>(a: Node<C>, b: Node<C>): Node<C> {
  if (!isLeaf(a) && a.height > b.height + 1) return balanced(a.left, join(a.right, b));
  if (!isLeaf(b) && b.height > a.height + 1) return balanced(join(a, b.left), b.right);
  return branch(a, b);
}

/** Of two whose heights differ by two at most. */
function balanced<C extends Chunk>(left: Node<C>, right: Node<C>): Node<C> {
  if (!isLeaf(right) && right.height > left.height + 1) {
    const { left: inner, right: outer } = right;
    return isLeaf(inner) || inner.height <= outer.height
      ? branch(branch(left, inner), outer)
      : branch(branch(left, inner.left), branch(inner.right, outer));
  }
  if (!isLeaf(left) && left.height > right.height + 1) {
    const { left: outer, right: inner } = left;
    return isLeaf(inner) || inner.height <= outer.height
      ? branch(outer, branch(inner, right))
      : branch(branch(outer, inner.left), branch(inner.right, right));
  }
  return branch(left, right);
}

export function* chunksOf<C extends Chunk>(tree: Tree<C>): Generator<C> {
  if (!tree) return;
  const waiting: Node<C>[] = [tree];
  for (let node = waiting.pop(); node; node = waiting.pop()) {
    if (isLeaf(node)) yield node.chunk;
    else waiting.push(node.right, node.left);
  }
}
