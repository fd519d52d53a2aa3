import { AppError } from '../errors.js'

/** Whether a path is of a template (`/api/leads/:id`). A slash at the path's end makes no difference. */
export function pathFits(template: string, pathname: string): boolean {
  return segmentsFit(template.split('/'), segmentsOf(pathname))
}

/**
 * The parameters of a path, decoded, by their names in its template.
 *
 * @throws {AppError} `not_found` where the path is not of the template, `invalid_request` for broken
 *   percent-encoding.
 */
export function readPathParams(template: string, pathname: string): Record<string, string> {
  const names = template.split('/')
  const values = segmentsOf(pathname)
  if (!segmentsFit(names, values)) throw new AppError('not_found')
  const params: Record<string, string> = {}
  for (const [i, name] of names.entries())
    if (name.startsWith(':')) params[name.slice(1)] = decode(values[i] ?? '')
  return params
}

function segmentsOf(pathname: string): string[] {
  return pathname.replace(/\/$/, '').split('/')
}

function segmentsFit(names: readonly string[], values: readonly string[]): boolean {
  if (names.length !== values.length) return false
  return names.every((name, i) => name === values[i] || (name.startsWith(':') && values[i] !== ''))
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new AppError('invalid_request', 'The path is not valid percent-encoding.')
  }
}
