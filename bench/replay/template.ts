import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { ObjectId } from 'mongodb'
import type { RequestValues } from './recording.js'

/** One request to the replaying server, with what its commands have in common. */
export interface Exchange {
  request: RequestValues
  now: Date
  /** The value that stands for a recorded one in this request: the same wherever that was the same. */
  fresh<T>(recorded: string, make: () => T): T
}

export type Build = (exchange: Exchange) => unknown

/** A new exchange. */
export function exchangeOf(request: RequestValues): Exchange {
  const values = new Map<string, unknown>()
  return {
    request,
    now: new Date(),
    fresh<T>(recorded: string, make: () => T): T {
      if (!values.has(recorded)) values.set(recorded, make())
      return values.get(recorded) as T
    },
  }
}

/**
 * Learns from several recordings of a value how to make it for a new request. What never changed is a
 * constant; what came with the request is taken from there; of ids, times and digests there are new ones.
 *
 * @param samples the value in each recording.
 * @param requests the request of each recording.
 * @throws {Error} for a difference between the recordings that none of this explains.
 */
export function templateOf(samples: readonly unknown[], requests: readonly RequestValues[]): Build {
  const [first] = samples
  if (samples.every(sample => isDeepStrictEqual(sample, first))) return () => first
  if (all(samples, isDate)) return ({ now }) => now
  if (all(samples, isObjectId)) return freshId(samples)
  if (all(samples, isString)) return ofRequest(samples, requests) ?? ofId(samples) ?? freshText(samples)
  if (all(samples, isArray)) return arrayOf(samples, requests)
  if (all(samples, isObject)) return objectOf(samples, requests)
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

function freshId([first]: readonly ObjectId[]): Build {
  const recorded = String(first)
  return ({ fresh }) => fresh(recorded, newId)
}

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

function ofRequest(samples: readonly string[], requests: readonly RequestValues[]): Build | undefined {
  const path = [...leavesOf(requests[0])].find(candidate =>
    samples.every((sample, i) => valueAt(requests[i], candidate) === sample),
  )
  return path && (({ request }) => valueAt(request, path))
}

function* leavesOf(value: unknown, at: Path = []): Generator<Path> {
  if (typeof value !== 'object' || value === null) yield at
  else if (Array.isArray(value)) for (const [i, item] of value.entries()) yield* leavesOf(item, [...at, i])
  else for (const [name, item] of Object.entries(value)) yield* leavesOf(item, [...at, name])
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root
  for (const name of path) value = (value as Record<string | number, unknown> | undefined)?.[name]
  return value
}

function arrayOf(samples: readonly unknown[][], requests: readonly RequestValues[]): Build {
  const { length } = samples[0] ?? []
  if (samples.some(sample => sample.length !== length))
    throw new Error('recordings of one request differ in the length of a list')
  const items = Array.from({ length }, (_, i) =>
    templateOf(
      samples.map(sample => sample[i]),
      requests,
    ),
  )
  return exchange => items.map(build => build(exchange))
}

function objectOf(samples: readonly Record<string, unknown>[], requests: readonly RequestValues[]): Build {
  const names = Object.keys(samples[0] ?? {})
  if (samples.some(sample => !isDeepStrictEqual(Object.keys(sample), names)))
    throw new Error(`recordings of one request differ in their fields: ${names.join(', ')}`)
  const fields = names.map(
    name =>
      [
        name,
        templateOf(
          samples.map(sample => sample[name]),
          requests,
        ),
      ] as const,
  )
  return exchange => {
    const object: Record<string, unknown> = {}
    for (const [name, build] of fields) object[name] = build(exchange)
    return object
  }
}
