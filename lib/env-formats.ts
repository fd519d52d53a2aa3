import { z } from 'zod'

/** A connection string: the driver reads the rest of it. */
export const MongoUri = z
  .string()
  .regex(/^mongodb(\+srv)?:\/\/\S+$/, 'must start with mongodb:// or mongodb+srv://')

/** An origin, in the form that browsers send: `https://app.example.com`. */
export const Origin = z.string().transform((text, context) => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search !== '') {
    context.addIssue('must consist of origins like https://app.example.com')
    return z.NEVER
  }
  return url.origin
})

const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]']

/**
 * Where a Redis is: the token goes with every request, and what fetch says of credentials in a URL would have them in
 * the log.
 */
export const RedisUrl = z.string().refine(text => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isPrivate =
    url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.includes(url.hostname))
  return isPrivate && url.username === '' && url.password === ''
}, 'must be a URL like https://name.upstash.io')

/** Without spaces. */
const VISIBLE_ASCII = /^[!-~]+$/

/** A token of Upstash, as it stands in a header. */
export const RedisToken = z.string().regex(VISIBLE_ASCII, 'must be a token, without spaces')

/** What an `Authorization` header carries: it is compared by its words and bytes. */
export const BearerToken = z.string().regex(VISIBLE_ASCII, 'must consist of ASCII characters without spaces')

/** A name, in quotes or not, and an address in angle brackets, or an address alone. */
export const MailAddress = z
  .string()
  .regex(
    /^(?:(?:"[^"\p{Cc}]*"|[^<>"\p{Cc}])*<[^\s<>@",;]+@[^\s<>@"',;]+>|[^\s<>@",;]+@[^\s<>@"',;]+)$/u,
    'must be an address like Leadline <no-reply@app.example.com>',
  )

const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 }

/** A duration like `15m` or `7d`, in seconds. */
export const Duration = z
  .string()
  .regex(/^[1-9]\d{0,4}[smhd]$/, 'must be a duration like 15m, 12h or 7d')
  .transform(text => Number.parseInt(text, 10) * SECONDS[text.slice(-1) as keyof typeof SECONDS])

/** `true` or `false`, which it is where it is not set. */
export const Flag = z
  .enum(['true', 'false'], 'must be true or false')
  .default('false')
  .transform(value => value === 'true')

/** What commas or spaces separate; empty where it is not set. */
export const List = z
  .string()
  .default('')
  .transform(text => text.split(/[\s,]+/).filter(item => item !== ''))

/** A Stripe price or, of before prices, a plan: the first is sold, and all of them are known. */
export const Prices = List.pipe(
  z.array(z.string().regex(/^(price|plan)_\w+$/, 'must consist of price ids like price_1AbC')),
)
