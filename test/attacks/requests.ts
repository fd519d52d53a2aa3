import fc from 'fast-check'
import { z } from 'zod'
import type { DeclaredVerb } from '../support/declared-routes.js'
import {
  hostileBody,
  hostileHeaders,
  hostileKey,
  hostileQueries,
  hostileSegments,
  hostileTexts,
  hostileValue,
} from './hostile.js'
import type { Vocabulary } from './vocabulary.js'

/** One request, but for who sends it. */
export interface FuzzedRequest {
  method: string
  path: string
  headers: Readonly<Record<string, string>>
  body?: unknown
}

/** What JSON Schema says of input, as far as the routes' schemas say anything. */
interface JsonSchema {
  type?: string | readonly string[]
  properties?: Readonly<Record<string, JsonSchema>>
  required?: readonly string[]
  items?: JsonSchema
  minItems?: number
  maxItems?: number
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
  pattern?: string
  format?: string
  anyOf?: readonly JsonSchema[]
  oneOf?: readonly JsonSchema[]
  enum?: readonly unknown[]
  const?: unknown
}

type Path = readonly (string | number)[]

/** What happens to a body on its way: a place of it is replaced, taken away, wrapped, or gets a neighbour. */
type Mutation = { place: number } & (
  | { kind: 'replace'; value: unknown }
  | { kind: 'remove' }
  | { kind: 'wrap'; key: string | undefined }
  | { kind: 'add'; key: string; value: unknown }
)

const mutation: fc.Arbitrary<Mutation> = fc
  .tuple(
    fc.nat(1_000),
    fc.oneof(
      { weight: 5, arbitrary: fc.record({ kind: fc.constant('replace' as const), value: hostileValue }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const) }) },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constant('wrap' as const),
          key: fc.constantFrom(undefined, '$gt', '$ne', '$set', '0', '__proto__'),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant('add' as const), key: hostileKey, value: hostileValue }),
      },
    ),
  )
  .map(([place, change]) => ({ place, ...change }))

/**
 * Requests to a route, made of its own schemas: about a third as it wants them, the others broken in their path,
 * query, headers or body.
 */
export function requestsTo(
  { verb, path, declaration }: DeclaredVerb,
  known: Vocabulary,
): fc.Arbitrary<FuzzedRequest> {
  const segments = paramsOf(declaration.params, path, known)
  const query = queryOf(declaration.query, known)
  const valid = fc.record({
    method: fc.constant(verb),
    path: fc.tuple(segments.valid, query.valid).map(join),
  })
  const broken = fc.record({
    method: fc.oneof(
      { weight: 20, arbitrary: fc.constant<string>(verb) },
      { weight: 1, arbitrary: fc.constantFrom('HEAD', 'OPTIONS', 'PROPFIND', 'constructor', 'patch') },
    ),
    path: fc
      .tuple(
        fc.oneof({ weight: 2, arbitrary: segments.valid }, { weight: 1, arbitrary: segments.broken }),
        fc.oneof({ weight: 1, arbitrary: query.valid }, { weight: 1, arbitrary: query.broken }),
      )
      .map(join),
  })
  const bodies = declaration.body && bodyOf(declaration.body, known)
  const headers = fc
    .array(fc.constantFrom(...hostileHeaders), { maxLength: 2 })
    .map(pairs => Object.fromEntries(pairs) as Record<string, string>)
  const asWanted = fc
    .tuple(valid, bodies?.valid ?? fc.constant(undefined))
    .map(([request, body]) => ({ ...request, headers: {}, ...sent(body) }))
  const otherwise = fc
    .tuple(broken, headers, bodies?.broken ?? fc.constant(undefined))
    .map(([request, more, body]) => ({
      ...request,
      headers: more,
      ...(request.method !== 'HEAD' && sent(body)),
    }))
  // A route without anything to break is fuzzed by its headers, which each request has here.
  return fc.oneof({ weight: 1, arbitrary: asWanted }, { weight: 2, arbitrary: otherwise })
}

const sent = (body: unknown) => (body === undefined ? {} : { body })
const join = ([path, query]: readonly [string, string]) => (query === '' ? path : `${path}?${query}`)

interface Parts<T> {
  valid: fc.Arbitrary<T>
  broken: fc.Arbitrary<T>
}

/** The path with its parameters filled in. */
function paramsOf(schema: z.ZodType | undefined, path: string, known: Vocabulary): Parts<string> {
  const { properties = {} } = describe(schema)
  const filled = (segmentOf: (name: string) => fc.Arbitrary<string>) =>
    fc
      .tuple(
        ...path
          .split('/')
          .map(segment => (segment.startsWith(':') ? segmentOf(segment.slice(1)) : fc.constant(segment))),
      )
      .map(segments => segments.join('/'))
  const valid = filled(name => takenBy(properties[name] ?? {}, known, name).map(escaped))
  const hostile = filled(() =>
    fc.oneof(fc.constantFrom(...hostileSegments), fc.constantFrom(...hostileTexts).map(escaped)),
  )
  const elsewhere = fc
    .tuple(valid, fc.constantFrom('/', '//', '/..', '/../..', '/.', '/x', '/%00', ';x', '%2f', '.json', '?'))
    .map(([inner, more]) => inner + more)
  const broken = path.includes(':')
    ? fc.oneof({ weight: 4, arbitrary: hostile }, { weight: 1, arbitrary: elsewhere })
    : elsewhere
  return { valid, broken }
}

/** As a client writes a value into a path; half a surrogate pair has no such form. */
function escaped(value: unknown): string {
  return encodeURIComponent(String(value).replace(/\p{Cs}/gu, '\uFFFD'))
}

function queryOf(schema: z.ZodType | undefined, known: Vocabulary): Parts<string> {
  const written = (query: unknown) => {
    const search = new URLSearchParams()
    for (const [key, value] of Object.entries(query as object)) search.append(key, String(value))
    return search.toString()
  }
  const shape = schema ? describe(schema) : {}
  const whole = schema ? takenBy(shape, known) : fc.constant({})
  const names = fc.constantFrom(...Object.keys(shape.properties ?? { t: {} }))
  const broken = fc
    .tuple(whole, names, fc.constantFrom(...hostileTexts))
    .map(([query, name, text]) => written({ ...(query as object), [name]: text }))
  return { valid: whole.map(written), broken: fc.oneof(broken, fc.constantFrom(...hostileQueries)) }
}

function bodyOf(schema: z.ZodType, known: Vocabulary): Parts<unknown> {
  const valid = takenBy(describe(schema), known)
  const mutated = fc
    .tuple(valid, fc.array(mutation, { minLength: 1, maxLength: 3 }))
    .map(([body, mutations]) => mutations.reduce(mutate, body))
  const broken = fc.oneof(
    { weight: 7, arbitrary: mutated },
    { weight: 2, arbitrary: hostileBody },
    { weight: 1, arbitrary: hostileValue },
  )
  return { valid, broken }
}

function describe(schema: z.ZodType | undefined): JsonSchema {
  return schema ? (z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema) : {}
}

/** What a schema takes; for a name of the vocabulary more often what there is of it. */
function takenBy(schema: JsonSchema, known: Vocabulary, name?: string): fc.Arbitrary<unknown> {
  const made = madeOf(schema, known)
  const values = name !== undefined && Object.hasOwn(known, name) ? known[name] : undefined
  if (values === undefined) return made
  return fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...values) }, { weight: 1, arbitrary: made })
}

function madeOf(schema: JsonSchema, known: Vocabulary): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (schema.enum) return fc.constantFrom(...schema.enum)
  const alternatives = schema.anyOf ?? schema.oneOf
  if (alternatives) return fc.oneof(...alternatives.map(one => madeOf(one, known)))
  if (Array.isArray(schema.type))
    return fc.oneof(...schema.type.map((type: string) => madeOf({ ...schema, type }, known)))
  switch (schema.type) {
    case 'object':
      return objectOf(schema, known)
    case 'array':
      return fc.array(takenBy(schema.items ?? {}, known), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 3, Math.max(3, schema.minItems ?? 0)),
      })
    case 'string':
      return textOf(schema)
    case 'integer':
      return fc.integer({ min: schema.minimum ?? -1_000, max: schema.maximum ?? 1_000_000 })
    case 'number':
      return fc.double({ min: schema.minimum ?? -1e6, max: schema.maximum ?? 1e6, noNaN: true })
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    default:
      return fc.jsonValue({ maxDepth: 2 })
  }
}

function objectOf({ properties, required = [] }: JsonSchema, known: Vocabulary): fc.Arbitrary<unknown> {
  if (!properties)
    return fc.dictionary(fc.string({ minLength: 1, maxLength: 12 }), fc.jsonValue({ maxDepth: 2 }))
  const fields = Object.entries(properties).map(
    ([key, property]) => [key, takenBy(property, known, key)] as const,
  )
  return fc.record(Object.fromEntries(fields), { requiredKeys: [...required] })
}

function textOf({ pattern, format, minLength = 0, maxLength = 40 }: JsonSchema): fc.Arbitrary<string> {
  if (format === 'date-time')
    return fc
      .date({ noInvalidDate: true, min: new Date(0), max: new Date('2200-01-01') })
      .map(at => at.toISOString())
  if (format === 'uri') return fc.webUrl()
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern, 'u'))
  const bounds = { minLength, maxLength: Math.max(minLength, Math.min(maxLength, 200)) }
  return fc.oneof(
    fc.string(bounds),
    fc.string({ ...bounds, unit: 'grapheme' }),
    fc.constantFrom(...hostileTexts.filter(text => text.length >= minLength && text.length <= maxLength)),
  )
}

/** The places of a value down to the depth that any of ours has, the whole of it first. */
function placesOf(value: unknown, at: Path = []): Path[] {
  if (typeof value !== 'object' || value === null || at.length > 5) return [at]
  const steps = Array.isArray(value) ? [...value.keys()].slice(0, 3) : Object.keys(value).slice(0, 40)
  const inner = steps.flatMap(step =>
    placesOf((value as Record<string | number, unknown>)[step], [...at, step]),
  )
  return [at, ...inner]
}

/** The value with one place of it changed; what was given stays as it was. */
function mutate(value: unknown, change: Mutation): unknown {
  const places = placesOf(value)
  const at = places[change.place % places.length] ?? []
  return changedAt(value, at, change)
}

function changedAt(value: unknown, [step, ...rest]: Path, change: Mutation): unknown {
  if (step === undefined) return changed(value, change)
  if (Array.isArray(value)) return value.map((item, i) => (i === step ? changedAt(item, rest, change) : item))
  const entries = Object.entries(value as object)
  if (change.kind === 'remove' && rest.length === 0)
    return fromEntries(entries.filter(([key]) => key !== step))
  return fromEntries(entries.map(([key, item]) => [key, key === step ? changedAt(item, rest, change) : item]))
}

function changed(value: unknown, change: Mutation): unknown {
  switch (change.kind) {
    case 'replace':
      return change.value
    case 'remove':
      return null
    case 'wrap':
      return change.key === undefined ? [value] : fromEntries([[change.key, value]])
    case 'add':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
        ? fromEntries([...Object.entries(value), [change.key, change.value]])
        : change.value
  }
}

/** An object whose `__proto__` is a key like any other. */
function fromEntries(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  return Object.fromEntries(entries)
}
