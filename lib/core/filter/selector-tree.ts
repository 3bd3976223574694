import type { PropertyValue } from '../message/message.js';

export type Comparison = '=' | '<>' | '<' | '<=' | '>' | '>=';
export type TextTest = 'CONTAINS' | 'STARTSWITH' | 'ENDSWITH';

/** A selector that was read. Chains lie flat, so that a long one is not a deep one. */
export type Tree =
  | { kind: 'literal'; value: PropertyValue }
  | { kind: 'property'; name: string }
  | { kind: 'and' | 'or'; terms: readonly Tree[] }
  | { kind: 'not'; term: Tree }
  | { kind: 'compare'; comparison: Comparison; left: Tree; right: Tree }
  | { kind: 'between'; negated: boolean; value: Tree; low: Tree; high: Tree }
  | { kind: 'in'; negated: boolean; name: string; list: readonly string[] }
  | { kind: 'like'; negated: boolean; name: string; matches: (text: string) => boolean }
  | { kind: 'text'; negated: boolean; name: string; test: TextTest; wanted: string }
  | { kind: 'is-null'; negated: boolean; name: string }
  | { kind: 'chain'; first: Tree; rest: readonly { sign: '+' | '-' | '*' | '/'; term: Tree }[] }
  | { kind: 'signed'; isNegative: boolean; term: Tree };

/** What a tree answers; `any` for a property, whose type nobody knows before a message is there. */
export type Type = 'boolean' | 'number' | 'text' | 'any';

export function typeOf(tree: Tree): Type {
  switch (tree.kind) {
    case 'literal':
      if (typeof tree.value === 'string') return 'text';
      return typeof tree.value === 'number' ? 'number' : 'boolean';
    case 'property':
      return 'any';
    case 'chain':
    case 'signed':
      return 'number';
    default:
      return 'boolean';
  }
}
