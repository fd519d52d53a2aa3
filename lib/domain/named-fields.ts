import type { z } from 'zod'

/**
 * Makes a function that takes from a document the fields that a shape names: it may hold more than this code knows of.
 * In a loop, which takes a fifth of what entries and back do, for every row of a page.
 */
export function namedFieldsOf<T extends z.ZodObject>({ shape }: T): (document: object) => z.infer<T> {
  const names = Object.keys(shape)
  return document => {
    const named: Record<string, unknown> = {}
    for (const name of names) {
      const value = (document as Record<string, unknown>)[name]
      if (value !== undefined) named[name] = value
    }
    return named as z.infer<T>
  }
}
