import type { BSONRegExp } from 'mongodb'
import { CommandError, unsupported } from './errors.js'

/** What PCRE reads another way than JavaScript: inline flags, possessive quantifiers, classes of its own, `\A` … */
const DIFFERENT = /\(\?[^:=!<]|\\[AZzGQERKhHvX]|[*+?}]\+|\[\[:/

/** The JavaScript form of a BSON regular expression. Refuses options and syntax that would mean something else. */
export function toRegExp(pattern: BSONRegExp): RegExp {
  const strange = /[^ims]/.exec(pattern.options)?.[0]
  if (strange) throw unsupported(`The regular expression option '${strange}'`)
  if (DIFFERENT.test(pattern.pattern)) throw unsupported(`The regular expression /${pattern.pattern}/`)
  try {
    return new RegExp(pattern.pattern, pattern.options)
  } catch (error) {
    throw new CommandError(51091, `Regular expression is invalid: ${(error as Error).message}`)
  }
}
