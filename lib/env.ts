import { z } from 'zod'
import {
  BearerToken,
  Duration,
  Flag,
  List,
  MailAddress,
  MongoUri,
  Origin,
  Prices,
  RedisToken,
  RedisUrl,
} from './env-formats.js'

/** A deployment whose environment is wrong. Its problems name variables and rules, never a value. */
export class ConfigurationError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`The environment is not valid: ${problems.join('; ')}`)
    this.name = 'ConfigurationError'
    this.problems = problems
  }
}

const Variables = z.object({
  MONGO_URI: MongoUri.optional(),
  MONGODB_URI: MongoUri.optional(),
  DATA_STORE: z.enum(['mongo', 'file'], 'must be mongo or file').optional(),
  ADMIN_TOKEN: BearerToken.min(32, 'must have at least 32 characters').optional(),
  // Half of the others: what Vercel's documentation of crons asks for, and all that it opens is the maintenance.
  CRON_SECRET: BearerToken.min(16, 'must have at least 16 characters').optional(),
  APP_ORIGINS: List.pipe(z.array(Origin)),
  APP_URL: Origin.optional(),
  AUTH_SECRET: z.string().min(32, 'must have at least 32 characters').optional(),
  AUTH_SECRET_PREVIOUS: z.string().min(32, 'must have at least 32 characters').optional(),
  ACCESS_TOKEN_TTL: Duration.prefault('7d'),
  AUTH_STRICT_SIGNUP: Flag,
  PASSWORD_BLOCKLIST: Flag,
  BCRYPT_COST: z.coerce.number('must be a number').int().min(4).max(16).default(12),
  EVENT_RETENTION_DAYS: z.coerce
    .number('must be a number')
    .int()
    .min(7, 'must be at least 7')
    .max(3_650)
    .optional(),
  AI_MODELS: List.transform(models => (models.length > 0 ? models : ['gpt-4', 'gpt-3.5-turbo'])),
  OPENAI_API_KEY: z
    .string()
    .regex(/^[!-~]{8,}$/, 'must be a key, without spaces')
    .optional(),
  OPENAI_BASE_URL: z
    .string()
    .refine(
      text => /^https?:\/\/[^/?#@]+(?:\/[^?#]*)?$/i.test(text) && URL.canParse(text),
      'must be an http(s) URL, without a password, ? or #',
    )
    .transform(text => text.replace(/\/+$/, ''))
    .default('https://api.openai.com/v1'),
  CHAT_MODEL: z
    .string()
    .regex(/^[\w.:/-]{1,100}$/, 'must be the name of a model')
    .default('gpt-4.1-mini'),
  CHAT_ANSWERS_PER_DAY: z.coerce.number('must be a number').int().min(0).max(1_000_000).default(1_000),
  SMTP_URL: z
    .string()
    .regex(/^smtps?:\/\/\S+$/, 'must start with smtp:// or smtps://')
    .refine(text => URL.canParse(text), 'must be a URL: with /, # and ? in its password as %2F, %23 and %3F')
    .optional(),
  MAIL_FROM: MailAddress.optional(),
  STRIPE_SECRET_KEY: z
    .string()
    .regex(/^(sk|rk)_\w+$/, 'must start with sk_ or rk_')
    .optional(),
  STRIPE_WEBHOOK_SECRET: z
    .string()
    .regex(/^whsec_\S+$/, 'must start with whsec_')
    .optional(),
  STRIPE_PRICE_BASIC: Prices,
  STRIPE_PRICE_PREMIUM: Prices,
  STRIPE_PRICE_ENTERPRISE: Prices,
  STRIPE_API_BASE: Origin.optional(),
  DATA_DIRECTORY: z.string().default('.data'),
  RATE_LIMIT_SCALE: z.coerce
    .number('must be a number')
    .positive('must be above 0')
    .max(1_000_000, 'must be at most 1,000,000')
    .default(1),
  UPSTASH_REDIS_REST_URL: RedisUrl.optional(),
  UPSTASH_REDIS_REST_TOKEN: RedisToken.optional(),
  KV_REST_API_URL: RedisUrl.optional(),
  KV_REST_API_TOKEN: RedisToken.optional(),
  RATE_LIMIT_TIMEOUT_MS: z.coerce.number('must be a number').int().min(50).max(5_000).default(300),
  LOG_LEVEL: z.enum(['info', 'error', 'silent'], 'must be info, error or silent').default('info'),
  NODE_ENV: z.string().optional(),
  VERCEL: z.string().optional(),
  VERCEL_PROJECT_PRODUCTION_URL: z.string().optional(),
  VERCEL_ENV: z.string().optional(),
})

/** The environment as the product sees it. */
export interface Env {
  /** Where the database is; undefined where none was given, which the first use of the database reports. */
  mongoUri: string | undefined
  adminToken: string | undefined
  cronSecret: string | undefined
  /** Origins of our own pages (consoles): always allowed, whatever domains a project lists. */
  appOrigins: readonly string[]
  /** Multiplies every rate limit; 1 in production. */
  rateLimitScale: number
  /** The REST interface of the Redis that counts rate limits; without both of these MongoDB counts them. */
  redisUrl: string | undefined
  redisToken: string | undefined
  /** How long a request waits for that Redis before MongoDB counts it. */
  rateLimitTimeoutMs: number
  logLevel: 'info' | 'error' | 'silent'
  /** Where our own pages are, the base of links in mails: never taken from a request, whose host is hearsay. */
  appUrl: string
  /** Signs access tokens. */
  authSecret: string | undefined
  /** Still verifies tokens that it signed before it was replaced. */
  authSecretPrevious: string | undefined
  /** How long an access token lives unless its client asks for a short one, in seconds. */
  accessTokenTtlSeconds: number
  /** Registration answers the same whether or not the address is taken, and gives no token. */
  strictSignup: boolean
  /** Refuse the most common passwords. */
  passwordBlocklist: boolean
  /** The cost of new password hashes, as a power of two. */
  bcryptCost: number
  /** For how long events are kept; for ever where undefined. Counters are kept in any case. */
  eventRetentionDays: number | undefined
  /** The AI models that a user may choose from; the first is the default. */
  aiModels: readonly string[]
  /** Opens the model that answers visitors; without it answers are made by rule. */
  openaiApiKey: string | undefined
  /** Where the model is: OpenAI, or whoever speaks its API. Without a slash at the end. */
  openaiBaseUrl: string
  /** The model that answers visitors. */
  chatModel: string
  /** How many answers of the model one project may have in a day. */
  chatAnswersPerDay: number
  /** Where mail is handed over; without it messages are written to `dataDirectory` (development only). */
  smtpUrl: string | undefined
  mailFrom: string
  stripeSecretKey: string | undefined
  /** Proves that a webhook is from Stripe. */
  stripeWebhookSecret: string | undefined
  /** The ids of the prices of each plan that can be bought: the first is sold, the others were. */
  stripePrices: Readonly<Record<'basic' | 'premium' | 'enterprise', readonly string[]>>
  /** Where Stripe's API is, for a test server in its place. */
  stripeApiBase: string | undefined
  dataDirectory: string
  production: boolean
}

/**
 * Reads an environment: an empty variable counts as unset, since dashboards and copied `.env` files leave
 * such behind.
 *
 * @throws {ConfigurationError} with every problem at once.
 */
export function readEnv(source: Readonly<Record<string, string | undefined>>): Env {
  const given = Object.fromEntries(
    Object.entries(source).map(([name, value]) => [name, value?.trim() || undefined]),
  )
  const parsed = Variables.safeParse(given)
  const problems = (parsed.error?.issues ?? []).map(issue => `${String(issue.path[0])} ${issue.message}`)

  const { MONGO_URI, MONGODB_URI, DATA_STORE, RATE_LIMIT_SCALE, BCRYPT_COST, VERCEL, VERCEL_ENV, NODE_ENV } =
    given
  if (MONGO_URI && MONGODB_URI && MONGO_URI !== MONGODB_URI)
    problems.push('MONGO_URI and MONGODB_URI are both set and differ: keep one')
  if (DATA_STORE === 'file' && VERCEL)
    problems.push('DATA_STORE must be mongo on Vercel: nothing written to its disk is kept')
  if (DATA_STORE === 'mongo' && !MONGO_URI && !MONGODB_URI)
    problems.push('MONGO_URI must be set where DATA_STORE is mongo')
  const production = VERCEL_ENV ? VERCEL_ENV === 'production' : NODE_ENV === 'production'
  if (production && Number(RATE_LIMIT_SCALE ?? 1) !== 1)
    problems.push('RATE_LIMIT_SCALE is for tests and load runs: it must not be set in production')

  if (production && Number(BCRYPT_COST ?? 12) < 12)
    problems.push('BCRYPT_COST must be at least 12 in production')
  if (production && given.STRIPE_API_BASE)
    problems.push('STRIPE_API_BASE is for tests: it must not be set in production')
  const stripePrices = {
    basic: parsed.data?.STRIPE_PRICE_BASIC ?? [],
    premium: parsed.data?.STRIPE_PRICE_PREMIUM ?? [],
    enterprise: parsed.data?.STRIPE_PRICE_ENTERPRISE ?? [],
  }
  const prices = Object.values(stripePrices).flat()
  if (new Set(prices).size < prices.length)
    problems.push('STRIPE_PRICE_BASIC, _PREMIUM and _ENTERPRISE must not share a price')

  // A list has the same problem once for each of its elements.
  if (!parsed.success || problems.length > 0) throw new ConfigurationError([...new Set(problems)])
  const deployedTo = parsed.data.VERCEL_PROJECT_PRODUCTION_URL
  const appUrl = parsed.data.APP_URL ?? (deployedTo ? `https://${deployedTo}` : 'http://127.0.0.1:3000')
  return {
    ...redisOf(parsed.data),
    mongoUri: parsed.data.MONGO_URI ?? parsed.data.MONGODB_URI,
    adminToken: parsed.data.ADMIN_TOKEN,
    cronSecret: parsed.data.CRON_SECRET,
    appOrigins: parsed.data.APP_ORIGINS,
    rateLimitScale: parsed.data.RATE_LIMIT_SCALE,
    rateLimitTimeoutMs: parsed.data.RATE_LIMIT_TIMEOUT_MS,
    logLevel: parsed.data.LOG_LEVEL,
    appUrl,
    authSecret: parsed.data.AUTH_SECRET,
    authSecretPrevious: parsed.data.AUTH_SECRET_PREVIOUS,
    accessTokenTtlSeconds: parsed.data.ACCESS_TOKEN_TTL,
    strictSignup: parsed.data.AUTH_STRICT_SIGNUP,
    passwordBlocklist: parsed.data.PASSWORD_BLOCKLIST,
    bcryptCost: parsed.data.BCRYPT_COST,
    eventRetentionDays: parsed.data.EVENT_RETENTION_DAYS,
    aiModels: parsed.data.AI_MODELS,
    openaiApiKey: parsed.data.OPENAI_API_KEY,
    openaiBaseUrl: parsed.data.OPENAI_BASE_URL,
    chatModel: parsed.data.CHAT_MODEL,
    chatAnswersPerDay: parsed.data.CHAT_ANSWERS_PER_DAY,
    smtpUrl: parsed.data.SMTP_URL,
    mailFrom: parsed.data.MAIL_FROM ?? `Leadline <no-reply@${new URL(appUrl).hostname}>`,
    stripeSecretKey: parsed.data.STRIPE_SECRET_KEY,
    stripeWebhookSecret: parsed.data.STRIPE_WEBHOOK_SECRET,
    stripePrices,
    stripeApiBase: parsed.data.STRIPE_API_BASE,
    dataDirectory: parsed.data.DATA_DIRECTORY,
    production,
  }
}

/** By Upstash's own names or by those of Vercel's integration, but never one of each: they would not fit together. */
function redisOf(given: z.infer<typeof Variables>): Pick<Env, 'redisUrl' | 'redisToken'> {
  const { UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN, KV_REST_API_URL, KV_REST_API_TOKEN } = given
  return UPSTASH_REDIS_REST_URL || UPSTASH_REDIS_REST_TOKEN
    ? { redisUrl: UPSTASH_REDIS_REST_URL, redisToken: UPSTASH_REDIS_REST_TOKEN }
    : { redisUrl: KV_REST_API_URL, redisToken: KV_REST_API_TOKEN }
}

let cached: Env | undefined

/**
 * The environment of this process, read once.
 *
 * @throws {ConfigurationError} on every call until the process has a valid environment.
 */
export function env(): Env {
  cached ??= readEnv(process.env)
  return cached
}

/** What a deployment should set and has not: one sentence each, names only. Shown by `/api/health`. */
export function configurationWarnings(current: Env): string[] {
  const warnings: string[] = []
  if (!current.adminToken) warnings.push('ADMIN_TOKEN is not set: only accounts and API keys can list leads.')
  if (!current.cronSecret) warnings.push('CRON_SECRET is not set: the maintenance cron is refused.')
  if (!current.authSecret) warnings.push('AUTH_SECRET is not set: nobody can sign in.')
  if (!current.smtpUrl && current.production) warnings.push('SMTP_URL is not set: no mail is sent.')
  if (current.redisUrl && !current.redisToken)
    warnings.push('UPSTASH_REDIS_REST_TOKEN is not set beside its URL: MongoDB counts rate limits.')
  if (current.redisToken && !current.redisUrl)
    warnings.push('UPSTASH_REDIS_REST_URL is not set beside its token: MongoDB counts rate limits.')
  if (current.stripeSecretKey && !current.stripeWebhookSecret)
    warnings.push('STRIPE_WEBHOOK_SECRET is not set: what is paid at Stripe changes no plan.')
  if (current.stripeSecretKey && Object.values(current.stripePrices).every(prices => prices.length === 0))
    warnings.push('STRIPE_PRICE_BASIC, _PREMIUM and _ENTERPRISE are not set: no plan can be bought.')
  if (current.rateLimitScale !== 1)
    warnings.push('RATE_LIMIT_SCALE is set: rate limits are not the real ones.')
  return warnings
}
