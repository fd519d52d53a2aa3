import { z } from 'zod'
import type { DeclaredVerb } from '../support/declared-routes.js'
import type { Vocabulary } from './vocabulary.js'

/** One request that names something of the victim. */
export interface Attempt {
  /** What it names, for who reads a failure: `query.microsite="victim-site"`. */
  says: string
  path: string
  body?: unknown
  /** The value of the path's last parameter, as it is in the path; empty without one. */
  named: string
}

/** What a schema takes at one place: a path into it and the values to send there. */
interface Leaf {
  at: readonly (string | number)[]
  values: readonly unknown[]
  required: boolean
}

interface JsonSchema {
  type?: string | readonly string[]
  properties?: Readonly<Record<string, JsonSchema>>
  required?: readonly string[]
  items?: JsonSchema
  anyOf?: readonly JsonSchema[]
  oneOf?: readonly JsonSchema[]
  enum?: readonly unknown[]
  const?: unknown
}

/** Names of a route's parameters and fields that the vocabulary does not have: nothing is known to send there. */
export function unknownNames({ name, declaration }: DeclaredVerb, vocabulary: Vocabulary): string[] {
  const missing: string[] = []
  for (const part of ['params', 'query', 'body'] as const)
    shapesOf(declaration[part], vocabulary, at => {
      // A body that is taken as it comes has no names.
      if (at.length > 0) missing.push(`${name}: ${part} ${at.join('.')}`)
    })
  return missing
}

/**
 * The requests that a route's own schemas allow and that name what is the victim's: all of it at once, and each
 * value of each parameter and field by itself, beside what the route requires. `undeclared` goes along where a
 * query or a body does not declare it.
 */
export function attemptsAt(
  { path, declaration }: DeclaredVerb,
  vocabulary: Vocabulary,
  undeclared: Readonly<Record<string, unknown>>,
): Attempt[] {
  const places = shapesOf(declaration.params, vocabulary)[0] ?? []
  const queries = shapesOf(declaration.query, vocabulary)[0] ?? []
  const bodies = shapesOf(declaration.body, vocabulary)

  const paths = places.reduce(
    (made, { at, values }) =>
      made.flatMap(one =>
        values.map(value => {
          const named = encodeURIComponent(String(value))
          return { path: one.path.replace(`:${at[0]}`, named), named }
        }),
      ),
    [{ path, named: '' }],
  )
  const asked = [
    { says: 'every query parameter', query: { ...undeclared, ...filled(queries) } },
    ...singles(queries).map(({ says, value }) => ({ says: `query ${says}`, query: value })),
  ]
  const sent = bodies.flatMap(leaves => [
    { says: 'every field', body: withUndeclared(filled(leaves), undeclared) },
    ...singles(leaves).map(({ says, value }) => ({ says: `body ${says}`, body: value })),
  ])
  return paths.flatMap(place =>
    asked.flatMap(({ says, query }) => {
      const search = new URLSearchParams()
      for (const [key, value] of Object.entries(query)) search.set(key, String(value))
      const request = { ...place, path: `${place.path}?${search}` }
      return sent.length === 0
        ? [{ ...request, says }]
        : sent.map(({ says: field, body }) => ({ ...request, says: field, body }))
    }),
  )
}

/** The leaves of each shape that a schema allows; none for a schema that there is not. */
function shapesOf(
  schema: z.ZodType | undefined,
  vocabulary: Vocabulary,
  missing: (at: Leaf['at']) => void = () => {},
): Leaf[][] {
  if (!schema) return []
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema
  return alternatives(json).map(shape => leavesOf(shape, [], true))

  function leavesOf(shape: JsonSchema, at: Leaf['at'], required: boolean): Leaf[] {
    const name = at.findLast(step => typeof step === 'string')
    const known = name !== undefined && Object.hasOwn(vocabulary, name) ? vocabulary[name] : undefined
    if (known) return [{ at, values: known, required }]
    if (shape.const !== undefined) return [{ at, values: [shape.const], required }]
    if (shape.enum) return [{ at, values: shape.enum, required }]
    if (shape.type === 'boolean') return [{ at, values: [true], required }]
    if (shape.type === 'null') return []
    const inner = alternatives(shape)
    if (inner.length > 1) return inner.flatMap(one => leavesOf(one, at, required))
    if (shape.properties)
      return Object.entries(shape.properties).flatMap(([key, property]) =>
        leavesOf(property, [...at, key], required && (shape.required?.includes(key) ?? false)),
      )
    if (shape.items?.enum) return [{ at, values: [shape.items.enum], required }]
    if (shape.items?.properties) return leavesOf(shape.items, [...at, 0], required)
    missing(at)
    return []
  }
}

function alternatives(schema: JsonSchema): readonly JsonSchema[] {
  return schema.anyOf ?? schema.oneOf ?? [schema]
}

/** Every leaf with its first value. */
function filled(leaves: readonly Leaf[]): Record<string, unknown> {
  return place(leaves.map(leaf => ({ leaf, value: leaf.values[0] })))
}

/** Each value of each leaf, beside the first ones of what is required; and that alone. */
function singles(leaves: readonly Leaf[]): { says: string; value: Record<string, unknown> }[] {
  if (leaves.length === 0) return []
  const required = leaves.filter(leaf => leaf.required).map(leaf => ({ leaf, value: leaf.values[0] }))
  const bare = { says: 'nothing but what is required', value: place(required) }
  const each = leaves.flatMap(leaf =>
    leaf.values.map(value => ({
      says: `${leaf.at.join('.')}=${JSON.stringify(value)}`,
      value: place([...required, { leaf, value }]),
    })),
  )
  return [bare, ...each]
}

/** An object, or an array where the first steps are numbers, with these values at their places. */
function place(values: readonly { leaf: Leaf; value: unknown }[]): Record<string, unknown> {
  const root: { '': unknown } = { '': undefined }
  for (const { leaf, value } of values) {
    const steps = ['', ...leaf.at]
    let holder = root as Record<string | number, unknown>
    for (const [i, step] of steps.entries()) {
      if (i === steps.length - 1) holder[step] = value
      else holder[step] ??= typeof steps[i + 1] === 'number' ? [] : {}
      if (i < steps.length - 1) holder = holder[step] as Record<string | number, unknown>
    }
  }
  return (root[''] ?? {}) as Record<string, unknown>
}

function withUndeclared(body: unknown, undeclared: Readonly<Record<string, unknown>>): unknown {
  return Array.isArray(body)
    ? body.map(one => ({ ...undeclared, ...one }))
    : { ...undeclared, ...(body as object) }
}
