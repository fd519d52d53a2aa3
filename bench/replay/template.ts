import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { ObjectId } from 'mongodb'
import { entryKey } from '../../lib/domain/usage/usage-entries.js'
import type { RequestValues } from './recording.js'

/** Where the values of a command come from: its request, and what the commands that it waited for found. */
export interface Origin {
  request: RequestValues
  results: readonly unknown[]
}

/** One command of a request to the replaying server. */
export interface Exchange extends Origin {
  /** The value that stands for a recorded one in this request: the same wherever that was the same. */
  fresh: Fresh
}

type Fresh = <T>(recorded: string, make: () => T) => T

export type Build = (exchange: Exchange) => unknown

/** The new values of one request. */
export function freshValues(): Fresh {
  const values = new Map<string, unknown>()
  return <T>(recorded: string, make: () => T) => {
    if (!values.has(recorded)) values.set(recorded, make())
    return values.get(recorded) as T
  }
}

/**
 * Learns from several recordings of a value how to make it for a new request. What never changed is a
 * constant; what came with the request, or was found by an earlier command, is taken from there; of ids, times and
 * digests there are new ones.
 *
 * @param samples the value in each recording.
 * @param origins where it may be from, in each recording.
 * @throws {Error} for a difference between the recordings that none of this explains.
 */
export function templateOf(samples: readonly unknown[], origins: readonly Origin[]): Build {
  const [first] = samples
  if (samples.every(sample => isDeepStrictEqual(sample, first))) return () => first
  if (all(samples, isDate)) return dateOf(samples, origins)
  if (all(samples, isObjectId)) return idOf(samples, origins)
  if (all(samples, isString)) return textOf(samples, origins)
  if (all(samples, isArray)) return arrayOf(samples, origins)
  if (all(samples, isObject)) return objectOf(samples, origins)
  throw new Error(`recordings of one request differ in a way that cannot be replayed: ${samples.join(', ')}`)
}

function all<T>(samples: readonly unknown[], is: (value: unknown) => value is T): samples is readonly T[] {
  return samples.every(is)
}

const isDate = (value: unknown) => value instanceof Date
const isObjectId = (value: unknown) => value instanceof ObjectId
const isString = (value: unknown) => typeof value === 'string'
const isArray = (value: unknown): value is unknown[] => Array.isArray(value)
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype

// Ids are digests or random, not ascending as the driver's own would be: they cost an index the same.
const newId = () => new ObjectId(randomBytes(12))

function idOf(samples: readonly ObjectId[], origins: readonly Origin[]): Build {
  const texts = samples.map(String)
  const known = findIn(origins, (leaf, i) => String(leaf) === texts[i])
  if (known) return exchange => new ObjectId(String(known(exchange)))
  return ({ fresh }) => fresh(texts[0] ?? '', newId)
}

/** A time that an earlier command found, or so many seconds from when the request came. */
function dateOf(samples: readonly Date[], origins: readonly Origin[]): Build {
  const known = findIn(origins, (leaf, i) => leaf instanceof Date && leaf.getTime() === samples[i]?.getTime())
  if (known) return known
  const offsets = samples.map((sample, i) => sample.getTime() - (origins[i]?.request.at.getTime() ?? 0))
  const offset = Math.floor(Math.min(...offsets) / SECOND_MS) * SECOND_MS
  return ({ request }) => new Date(request.at.getTime() + offset)
}

const SECOND_MS = 1000

/** What the product makes of a text: itself, or the name of a session's entry. */
const READINGS: ((text: string) => string)[] = [text => text, entryKey]

function textOf(samples: readonly string[], origins: readonly Origin[]): Build {
  return knownText(samples, origins) ?? ofId(samples) ?? freshText(samples)
}

function knownText(samples: readonly string[], origins: readonly Origin[]): Build | undefined {
  for (const reading of READINGS) {
    const read = (leaf: unknown) => reading(leaf instanceof ObjectId ? leaf.toHexString() : String(leaf))
    const known = findIn(origins, (leaf, i) => isNamed(leaf) && samples[i]?.includes(read(leaf)))
    const [origin] = origins
    if (!known || !origin) continue
    const [before = '', after = ''] = samples[0]?.split(read(known(origin))) ?? []
    return exchange => `${before}${read(known(exchange))}${after}`
  }
  return undefined
}

/** Too short a text is in another one by chance. */
const isNamed = (leaf: unknown) => leaf instanceof ObjectId || (typeof leaf === 'string' && leaf.length >= 8)

const HEX_ID = /[0-9a-f]{24}/

/** A text around an id: `lead:65a…`. */
function ofId(samples: readonly string[]): Build | undefined {
  const [first] = samples
  const [recorded] = (first && HEX_ID.exec(first)) ?? []
  if (first === undefined || recorded === undefined || !samples.every(text => HEX_ID.test(text)))
    return undefined
  const [before = '', after = ''] = first.split(recorded)
  return ({ fresh }) => `${before}${fresh(recorded, newId).toHexString()}${after}`
}

function freshText([first = '']: readonly string[]): Build {
  const make = () => randomBytes(first.length).toString('base64url').slice(0, first.length)
  return ({ fresh }) => fresh(first, make)
}

type Path = readonly (string | number)[]

/** Finds the leaf of the origins that suits each recording, as a way to read it from another exchange. */
function findIn(
  origins: readonly Origin[],
  suits: (leaf: unknown, recording: number) => boolean | undefined,
): ((exchange: Origin) => unknown) | undefined {
  const [first] = origins
  const paths = [...leavesOf(first?.request, ['request']), ...leavesOf(first?.results, ['results'])]
  const path = paths.find(candidate => origins.every((origin, i) => suits(valueAt(origin, candidate), i)))
  return path && (exchange => valueAt(exchange, path))
}

/** What was found is known by its place where it is the only field: that may have another name each time. */
function* leavesOf(value: unknown, at: Path): Generator<Path> {
  const isLeaf =
    typeof value !== 'object' || value === null || value instanceof Date || value instanceof ObjectId
  if (isLeaf) yield at
  else if (Array.isArray(value)) for (const [i, item] of value.entries()) yield* leavesOf(item, [...at, i])
  else {
    const fields = Object.entries(value)
    const byPlace = at[0] === 'results' && fields.length === 1
    for (const [name, item] of fields) yield* leavesOf(item, [...at, byPlace ? 0 : name])
  }
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined
    value = typeof step === 'number' ? Object.values(value)[step] : (value as Record<string, unknown>)[step]
  }
  return value
}

function arrayOf(samples: readonly unknown[][], origins: readonly Origin[]): Build {
  const { length } = samples[0] ?? []
  if (samples.some(sample => sample.length !== length))
    throw new Error('recordings of one request differ in the length of a list')
  const items = Array.from({ length }, (_, i) =>
    templateOf(
      samples.map(sample => sample[i]),
      origins,
    ),
  )
  return exchange => items.map(build => build(exchange))
}

function objectOf(samples: readonly Record<string, unknown>[], origins: readonly Origin[]): Build {
  const names = samples.map(sample => Object.keys(sample))
  const [first = []] = names
  if (names.some(each => each.length !== first.length))
    throw new Error(`recordings of one request differ in their fields: ${first.join(', ')}`)
  const fields = first.map((_, place) => ({
    name: nameOf(
      names.map(each => each[place] ?? ''),
      origins,
    ),
    value: templateOf(
      samples.map(sample => Object.values(sample)[place]),
      origins,
    ),
  }))
  return exchange => {
    const object: Record<string, unknown> = {}
    for (const { name, value } of fields) object[String(name(exchange))] = value(exchange)
    return object
  }
}

/** A field may be named after what came with the request, and otherwise has one name. */
function nameOf(names: readonly string[], origins: readonly Origin[]): Build {
  const [first] = names
  const build = names.every(name => name === first) ? () => first : knownText(names, origins)
  if (!build) throw new Error(`recordings of one request differ in their fields: ${names.join(', ')}`)
  return build
}
