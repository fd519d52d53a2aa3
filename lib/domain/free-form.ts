import { z } from 'zod'

/**
 * Bounds of what we store without knowing its shape (`metadata`, `payload`), and of how we treat keys that
 * MongoDB or JavaScript would misread: those that start with `$`, contain `.` or NUL, or reach a prototype.
 */
const MAX_DEPTH = 8
const MAX_KEYS = 300
const MAX_CHARACTERS = 16_000

/** `_bsontype` is how the driver marks its own types: an object that only claims to be one cannot be written. */
const FORBIDDEN_KEYS = new Set(['', '__proto__', 'constructor', 'prototype', '_bsontype'])

/** A key that cannot be stored as one, with its value. */
export const KeptPair = z.object({ key: z.string(), value: z.unknown() })
export type KeptPair = z.infer<typeof KeptPair>

export type FreeForm = Record<string, unknown>

/** Whether a key can be stored as a key. */
function isStorableKey(key: string): boolean {
  return !FORBIDDEN_KEYS.has(key) && !key.startsWith('$') && !/[.\0]/.test(key)
}

/**
 * Free-form data from a public capture: nothing in it may cost a lead. A key that cannot be stored keeps its
 * value as a pair under `legacy` beside it, whatever exceeds the bounds is cut off and `truncated` says so, and
 * anything that is not an object is kept whole as a pair.
 */
export const CapturedFreeForm = z.unknown().optional().transform(captureFreeForm)

function captureFreeForm(value: unknown): FreeForm {
  const { captured, cut } = boundFreeForm(value)
  return cut ? { ...captured, truncated: true } : captured
}

/** As `CapturedFreeForm`, for who keeps elsewhere what is cut off. */
export function boundFreeForm(value: unknown): { captured: FreeForm; cut: boolean } {
  if (value === undefined || value === null) return { captured: {}, cut: false }
  const budget = { keys: MAX_KEYS, characters: MAX_CHARACTERS, cut: false }
  const source = isRecord(value) ? value : { legacy: [{ key: '', value }] }
  const captured = copy(source, 0, budget) as FreeForm
  return { captured, cut: budget.cut }
}

/**
 * Free-form data from somebody who can mend it: what cannot be stored as it is is refused, and nothing is cut.
 */
export const StrictFreeForm = z.record(z.string(), z.unknown()).superRefine((value, context) => {
  const path = findUnstorable(value, [])
  if (path) context.addIssue({ code: 'custom', path, message: 'is no name that can be stored' })
  else if (boundFreeForm(value).cut)
    context.addIssue({ code: 'custom', path: [], message: 'is too large or nested too deep' })
})

function findUnstorable(value: unknown, path: readonly (string | number)[]): (string | number)[] | undefined {
  if (typeof value !== 'object' || value === null || path.length > MAX_DEPTH) return undefined
  for (const [key, inner] of Object.entries(value)) {
    const at = [...path, Array.isArray(value) ? Number(key) : key]
    if (!Array.isArray(value) && !isStorableKey(key)) return at
    const found = findUnstorable(inner, at)
    if (found) return found
  }
  return undefined
}

interface Budget {
  keys: number
  characters: number
  cut: boolean
}

function copy(value: unknown, depth: number, budget: Budget): unknown {
  if (typeof value === 'string') return copyText(value, budget)
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return value
  if (depth === MAX_DEPTH) {
    budget.cut = true
    return null
  }
  return Array.isArray(value)
    ? copyArray(value, depth, budget)
    : copyObject(value as Record<string, unknown>, depth, budget)
}

function copyText(text: string, budget: Budget): string {
  const kept = text.slice(0, budget.characters)
  budget.characters -= kept.length
  if (kept.length < text.length) budget.cut = true
  return kept
}

function copyArray(values: readonly unknown[], depth: number, budget: Budget): unknown[] {
  const copied: unknown[] = []
  for (const value of values) {
    if (!spendKey('', budget)) break
    copied.push(copy(value, depth + 1, budget))
  }
  return copied
}

function copyObject(source: Record<string, unknown>, depth: number, budget: Budget): FreeForm {
  const copied: FreeForm = {}
  const kept: KeptPair[] = []
  for (const [key, value] of Object.entries(source)) {
    if (!spendKey(key, budget)) break
    if (isStorableKey(key)) copied[key] = copy(value, depth + 1, budget)
    else kept.push({ key, value: copy(value, depth + 1, budget) })
  }
  if (kept.length === 0) return copied
  const already = Array.isArray(copied.legacy) ? copied.legacy : []
  if ('legacy' in copied && already !== copied.legacy) kept.unshift({ key: 'legacy', value: copied.legacy })
  return { ...copied, legacy: [...already, ...kept] }
}

/** Every key and array element costs; the key's own characters too. */
function spendKey(key: string, budget: Budget): boolean {
  if (budget.keys === 0 || budget.characters < key.length) {
    budget.cut = true
    return false
  }
  budget.keys -= 1
  budget.characters -= key.length
  return true
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
