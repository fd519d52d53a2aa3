import type { Business, Site } from './cast.js'

/** The field by which leads, chats (`metadata`) and events (`payload`) of a demonstration are told from others. */
export const MARK = 'demonstration'

export function emailOf({ plan }: Business, seed: number): string {
  return `${plan}@demo-${seed}.example`
}

export function projectOf({ name }: Site, seed: number): string {
  return `${name}-demo-${seed}`
}

/** Of the inventory numbers that a demonstration added. */
export function providerOf(seed: number): string {
  return `demonstration ${seed}`
}

/** One for each business, and two that are free. */
export function numbersOf(seed: number, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `+9180${56_000_000 + (seed % 10_000) * 10 + i}`)
}
