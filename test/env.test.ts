import { describe, expect, it, vi } from 'vitest'
import { ConfigurationError, configurationWarnings, env, readEnv } from '../lib/env.js'

const MONGO_URI = 'mongodb://127.0.0.1/leadline'

function problemsOf(source: Record<string, string>): readonly string[] {
  try {
    readEnv(source)
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems
    throw error
  }
  return []
}

function namesOf(problems: readonly string[]): string[] {
  return problems.map(problem => problem.replace(/\s.*/, '')).sort()
}

describe('an environment', () => {
  it('needs nothing to be set', () => {
    expect(readEnv({})).toEqual({
      mongoUri: undefined,
      adminToken: undefined,
      cronSecret: undefined,
      appOrigins: [],
      appUrl: 'http://127.0.0.1:3000',
      authSecret: undefined,
      authSecretPrevious: undefined,
      accessTokenTtlSeconds: 7 * 24 * 60 * 60,
      strictSignup: false,
      passwordBlocklist: false,
      bcryptCost: 12,
      aiModels: ['gpt-4', 'gpt-3.5-turbo'],
      openaiApiKey: undefined,
      openaiBaseUrl: 'https://api.openai.com/v1',
      chatModel: 'gpt-4.1-mini',
      chatAnswersPerDay: 1_000,
      smtpUrl: undefined,
      mailFrom: 'Leadline <no-reply@127.0.0.1>',
      stripePrices: { basic: [], premium: [], enterprise: [] },
      dataDirectory: '.data',
      production: false,
      rateLimitScale: 1,
      rateLimitTimeoutMs: 300,
      logLevel: 'info',
    })
  })

  it('takes an empty or blank variable as unset', () => {
    const names = [
      'MONGO_URI',
      'MONGODB_URI',
      'DATA_STORE',
      'ADMIN_TOKEN',
      'CRON_SECRET',
      'APP_ORIGINS',
      'RATE_LIMIT_SCALE',
      'LOG_LEVEL',
      'VERCEL',
      'VERCEL_ENV',
    ]

    expect(readEnv(Object.fromEntries(names.map(name => [name, ''])))).toEqual(readEnv({}))
    expect(readEnv(Object.fromEntries(names.map(name => [name, ' \n'])))).toEqual(readEnv({}))
  })

  it('reports every problem at once and repeats no value', () => {
    const values = {
      MONGO_URI: 'postgres://operator:hunter2@db.example.com',
      MONGODB_URI: 'mongodb://operator:hunter2@db.example.com/leadline',
      DATA_STORE: 'sqlite-hunter2',
      ADMIN_TOKEN: 'hunter2-admin',
      CRON_SECRET: 'hunter2-cron',
      APP_ORIGINS: 'https://pages.example.net/hunter2',
      RATE_LIMIT_SCALE: '-7.25',
      LOG_LEVEL: 'hunter2-loud',
      NODE_ENV: 'production',
    }

    const problems = problemsOf(values)

    expect([...new Set(namesOf(problems))]).toEqual([
      'ADMIN_TOKEN',
      'APP_ORIGINS',
      'CRON_SECRET',
      'DATA_STORE',
      'LOG_LEVEL',
      'MONGO_URI',
      'RATE_LIMIT_SCALE',
    ])
    // The first is no connection string, and the two differ.
    expect(namesOf(problems).filter(name => name === 'MONGO_URI')).toHaveLength(2)
    expect(problems.join('\n')).not.toMatch(/hunter2|db\.example|pages\.example|7\.25/)
    expect(() => readEnv(values)).toThrow(problems.join('; '))
  })

  it('reports a limit scale in production beside another problem', () => {
    const problems = problemsOf({ NODE_ENV: 'production', RATE_LIMIT_SCALE: '5', ADMIN_TOKEN: 'short' })

    expect(namesOf(problems)).toEqual(['ADMIN_TOKEN', 'RATE_LIMIT_SCALE'])
  })

  it('reports each problem once', () => {
    expect(problemsOf({ APP_ORIGINS: 'app.example.com, admin.example.com' })).toHaveLength(1)
  })
})

describe('where the database is', () => {
  it.each([
    ['MONGO_URI', { MONGO_URI }],
    ['its old name', { MONGODB_URI: MONGO_URI }],
    ['both, when they agree', { MONGO_URI, MONGODB_URI: ` ${MONGO_URI}\n` }],
    ['the old name, when the new one is empty', { MONGO_URI: '', MONGODB_URI: MONGO_URI }],
  ])('is read from %s', (_, source) => {
    expect(readEnv(source).mongoUri).toBe(MONGO_URI)
  })

  it('may be an SRV record', () => {
    const uri = 'mongodb+srv://user:password@cluster.example.net/leadline'

    expect(readEnv({ MONGO_URI: uri }).mongoUri).toBe(uri)
  })

  it('is not guessed from two different URIs', () => {
    expect(problemsOf({ MONGO_URI, MONGODB_URI: `${MONGO_URI}-old` })).toEqual([
      'MONGO_URI and MONGODB_URI are both set and differ: keep one',
    ])
  })

  it.each([
    ['mongo without a URI', { DATA_STORE: 'mongo' }, ['MONGO_URI']],
    ['mongo with a URI', { DATA_STORE: 'mongo', MONGO_URI }, []],
    ['mongo with a URI under the old name', { DATA_STORE: 'mongo', MONGODB_URI: MONGO_URI }, []],
    ['file on a developer’s machine', { DATA_STORE: 'file' }, []],
    ['file on Vercel', { DATA_STORE: 'file', VERCEL: '1' }, ['DATA_STORE']],
    ['a store there is not', { DATA_STORE: 'redis' }, ['DATA_STORE']],
  ])('follows the rules of DATA_STORE: %s', (_, source, expected) => {
    expect(namesOf(problemsOf(source))).toEqual(expected)
  })
})

describe('RATE_LIMIT_SCALE', () => {
  it.each([
    ['no environment', {}, true],
    ['NODE_ENV test', { NODE_ENV: 'test' }, true],
    ['NODE_ENV production', { NODE_ENV: 'production' }, false],
    ['VERCEL_ENV production', { VERCEL_ENV: 'production' }, false],
    [
      'VERCEL_ENV production, NODE_ENV development',
      { VERCEL_ENV: 'production', NODE_ENV: 'development' },
      false,
    ],
    // Vercel builds previews with NODE_ENV=production: what the deployment is, VERCEL_ENV says.
    ['VERCEL_ENV preview, NODE_ENV production', { VERCEL_ENV: 'preview', NODE_ENV: 'production' }, true],
    ['VERCEL_ENV empty, NODE_ENV production', { VERCEL_ENV: '', NODE_ENV: 'production' }, false],
  ])('in %s', (_, source, accepted) => {
    expect(namesOf(problemsOf({ ...source, RATE_LIMIT_SCALE: '0.5' }))).toEqual(
      accepted ? [] : ['RATE_LIMIT_SCALE'],
    )
  })

  it.each(['0', '-1', 'many', 'NaN', 'Infinity', '1000001'])('is not %s', scale => {
    expect(namesOf(problemsOf({ RATE_LIMIT_SCALE: scale }))).toEqual(['RATE_LIMIT_SCALE'])
  })

  it('multiplies by what it says', () => {
    expect(readEnv({ RATE_LIMIT_SCALE: '0.5' }).rateLimitScale).toBe(0.5)
  })
})

describe('APP_ORIGINS', () => {
  it('is a list in the form in which browsers send origins', () => {
    const { appOrigins } = readEnv({
      APP_ORIGINS: 'https://app.example.com/, HTTPS://Admin.Example.com:443\nhttp://localhost:5173',
    })

    expect(appOrigins).toEqual([
      'https://app.example.com',
      'https://admin.example.com',
      'http://localhost:5173',
    ])
  })

  it.each([
    'app.example.com',
    '*',
    'null',
    'https://',
    'https://app.example.com/console',
    'https://app.example.com?x',
    'ftp://app.example.com',
    'https://app.example.com https//admin.example.com',
  ])('is not %s', origins => {
    expect(namesOf(problemsOf({ APP_ORIGINS: origins }))).toEqual(['APP_ORIGINS'])
  })
})

describe('secrets', () => {
  it('are long enough not to be guessed', () => {
    expect(namesOf(problemsOf({ ADMIN_TOKEN: 'a'.repeat(31), CRON_SECRET: 'c'.repeat(15) }))).toEqual([
      'ADMIN_TOKEN',
      'CRON_SECRET',
    ])
    expect(problemsOf({ ADMIN_TOKEN: 'a'.repeat(32), CRON_SECRET: 'c'.repeat(16) })).toEqual([])
  })

  it.each([
    'correct horse battery staple, and more',
    'ein-schlüssel-mit-umlaut-und-noch-mehr',
    'two\nlines-of-a-paste-that-went-wrong',
  ])('that clients send in a header are not %j, which none can carry', secret => {
    const problems = problemsOf({ ADMIN_TOKEN: secret, CRON_SECRET: secret })
    expect(namesOf(problems)).toEqual(['ADMIN_TOKEN', 'CRON_SECRET'])
    expect(problems.join()).not.toContain(secret)
    expect(problemsOf({ AUTH_SECRET: secret })).toEqual([])
  })

  it('are asked for where they are missing, without the values of the others', () => {
    const warnings = configurationWarnings(readEnv({ ADMIN_TOKEN: 'a'.repeat(32), RATE_LIMIT_SCALE: '20' }))

    expect(namesOf(warnings)).toEqual(['AUTH_SECRET', 'CRON_SECRET', 'RATE_LIMIT_SCALE'])
    expect(warnings.join()).not.toMatch(/aaa|20/)
    const complete = {
      ADMIN_TOKEN: 'a'.repeat(32),
      AUTH_SECRET: 's'.repeat(32),
      CRON_SECRET: 'c'.repeat(16),
    }
    expect(configurationWarnings(readEnv(complete))).toEqual([])
    expect(namesOf(configurationWarnings(readEnv({ ...complete, NODE_ENV: 'production' })))).toEqual([
      'SMTP_URL',
    ])
  })
})

describe('what accounts need', () => {
  it('has secrets that cannot be tried through, the replaced one too', () => {
    const short = { AUTH_SECRET: 's'.repeat(31), AUTH_SECRET_PREVIOUS: 'p'.repeat(31) }

    expect(namesOf(problemsOf(short))).toEqual(['AUTH_SECRET', 'AUTH_SECRET_PREVIOUS'])
    expect(problemsOf({ AUTH_SECRET: 's'.repeat(32), AUTH_SECRET_PREVIOUS: 'p'.repeat(32) })).toEqual([])
  })

  it('takes a cheap password hash for tests, and never in production', () => {
    expect(readEnv({ BCRYPT_COST: '4' }).bcryptCost).toBe(4)
    expect(namesOf(problemsOf({ BCRYPT_COST: '11', NODE_ENV: 'production' }))).toEqual(['BCRYPT_COST'])
    expect(problemsOf({ BCRYPT_COST: '12', NODE_ENV: 'production' })).toEqual([])
    for (const cost of ['3', '17', '12.5', 'high'])
      expect(namesOf(problemsOf({ BCRYPT_COST: cost })), cost).toEqual(['BCRYPT_COST'])
  })

  it.each([
    ['15m', 900],
    ['12h', 43_200],
    ['7d', 604_800],
    ['90s', 90],
  ])('reads a token life of %s', (text, seconds) => {
    expect(readEnv({ ACCESS_TOKEN_TTL: text }).accessTokenTtlSeconds).toBe(seconds)
  })

  it.each(['7', '0d', '-1d', '1w', '1.5h', '7d 1h', 'forever'])('reads no token life of %s', text => {
    expect(namesOf(problemsOf({ ACCESS_TOKEN_TTL: text }))).toEqual(['ACCESS_TOKEN_TTL'])
  })

  it('has switches that are on or off, and nothing that might be either', () => {
    for (const name of ['AUTH_STRICT_SIGNUP', 'PASSWORD_BLOCKLIST']) {
      expect(problemsOf({ [name]: 'true' })).toEqual([])
      for (const value of ['yes', '1', 'TRUE', 'on'])
        expect(namesOf(problemsOf({ [name]: value })), value).toEqual([name])
    }
  })
})

describe('the model that answers visitors', () => {
  it('may be at anybody who speaks the API, with or without a slash at the end', () => {
    for (const url of ['https://models.example/openai/v1', 'https://models.example/openai/v1//'])
      expect(readEnv({ OPENAI_BASE_URL: url }).openaiBaseUrl).toBe('https://models.example/openai/v1')
  })

  it('is described by nothing that cannot be, and no value is repeated', () => {
    const values = {
      OPENAI_API_KEY: 'sk-hunter2 copied with a note',
      OPENAI_BASE_URL: 'https://models.example/v1?key=hunter2',
      CHAT_MODEL: 'gpt hunter2',
      CHAT_ANSWERS_PER_DAY: '-2.5',
    }
    expect([...new Set(namesOf(problemsOf(values)))]).toEqual([
      'CHAT_ANSWERS_PER_DAY',
      'CHAT_MODEL',
      'OPENAI_API_KEY',
      'OPENAI_BASE_URL',
    ])
    expect(problemsOf(values).join('\n')).not.toMatch(/hunter2|2\.5|models\.example/)
    // No request can be made of a URL with a password in it.
    const urls = ['models.example/v1', 'ftp://models.example', 'https://', 'https://me:pw@models.example/v1']
    for (const url of urls)
      expect(namesOf(problemsOf({ OPENAI_BASE_URL: url })), url).toEqual(['OPENAI_BASE_URL'])
  })
})

describe('what billing needs', () => {
  const STRIPE = {
    STRIPE_SECRET_KEY: 'sk_test_1',
    STRIPE_WEBHOOK_SECRET: 'whsec_1',
    STRIPE_PRICE_BASIC: 'price_1',
  }

  it('has several prices a plan, the first one sold, and none of two plans', () => {
    const prices = { STRIPE_PRICE_BASIC: 'price_2, price_1', STRIPE_PRICE_PREMIUM: 'plan_old' }

    expect(readEnv(prices).stripePrices).toEqual({
      basic: ['price_2', 'price_1'],
      premium: ['plan_old'],
      enterprise: [],
    })
    expect(namesOf(problemsOf({ ...prices, STRIPE_PRICE_ENTERPRISE: 'price_1' }))).toEqual([
      'STRIPE_PRICE_BASIC,',
    ])
  })

  it.each([
    ['STRIPE_SECRET_KEY', 'pk_live_1'],
    ['STRIPE_WEBHOOK_SECRET', 'sk_live_1'],
    ['STRIPE_PRICE_PREMIUM', 'prod_1'],
    ['STRIPE_API_BASE', 'api.stripe.com'],
  ])('takes no %s like %s', (name, value) => {
    expect(namesOf(problemsOf({ [name]: value }))).toEqual([name])
  })

  it('asks Stripe itself in production', () => {
    const local = { STRIPE_API_BASE: 'http://127.0.0.1:12111' }

    expect(readEnv(local).stripeApiBase).toBe(local.STRIPE_API_BASE)
    expect(namesOf(problemsOf({ ...local, NODE_ENV: 'production' }))).toEqual(['STRIPE_API_BASE'])
  })

  it('is asked for where there is a key', () => {
    const of = (source: Record<string, string>) =>
      namesOf(configurationWarnings(readEnv(source))).filter(name => name.startsWith('STRIPE'))

    expect(of({})).toEqual([])
    expect(of(STRIPE)).toEqual([])
    expect(of({ STRIPE_SECRET_KEY: 'rk_live_1' })).toEqual(['STRIPE_PRICE_BASIC,', 'STRIPE_WEBHOOK_SECRET'])
  })
})

describe('what mail needs', () => {
  it.each([
    'no-reply@example.com',
    'Leadline <no-reply@example.com>',
    '"Asha, Inc." <no-reply@mail.example.co.in>',
    'लीडलाइन <no-reply@example.com>',
    '<no-reply@localhost>',
    '"Asha <Sales>" <no-reply@example.com>',
    "O'Brien Homes <o'brien@example.com>",
  ])('is from %s as it is given', from => {
    expect(readEnv({ MAIL_FROM: from }).mailFrom).toBe(from)
  })

  it.each([
    'Leadline',
    '"Leadline <no-reply@example.com>"',
    '"Leadline <no-reply@example.com>',
    "'no-reply@example.com'",
    'a@example.com, b@example.com',
    'no-reply@example.com\r\nBcc: b@example.com',
    'Leadline <no-reply>',
  ])('is from nobody who is called %j', from => {
    expect(namesOf(problemsOf({ MAIL_FROM: from }))).toEqual(['MAIL_FROM'])
  })

  it.each(['smtps://user:p%2Fw@smtp.example.com', 'smtp://127.0.0.1:25?ignoreTLS=true'])(
    'goes to %s',
    url => {
      expect(readEnv({ SMTP_URL: url }).smtpUrl).toBe(url)
    },
  )

  it.each([
    'https://smtp.example.com',
    'smtps://user:p/w@smtp.example.com',
    'smtps://user:p#w@smtp.example.com',
  ])('does not go to %s, which is no address of a server', url => {
    expect(namesOf(problemsOf({ SMTP_URL: url }))).toEqual(['SMTP_URL'])
  })
})

it('is read once a process, and again while it is not valid', async () => {
  vi.stubEnv('LOG_LEVEL', 'loud')
  expect(() => env()).toThrow(ConfigurationError)
  vi.stubEnv('LOG_LEVEL', 'error')
  expect(env().logLevel).toBe('error')
  vi.stubEnv('LOG_LEVEL', 'info')
  expect(env().logLevel).toBe('error')
})

describe('where rate limits are counted', () => {
  const ofUpstash = {
    UPSTASH_REDIS_REST_URL: 'https://name.upstash.io',
    UPSTASH_REDIS_REST_TOKEN: 'of-upstash',
  }
  const ofVercel = { KV_REST_API_URL: 'https://kv.upstash.io', KV_REST_API_TOKEN: 'of-vercel' }
  const redisOf = (source: Record<string, string>) => {
    const { redisUrl, redisToken } = readEnv(source)
    return [redisUrl, redisToken]
  }

  it('is read by either pair of names, and never from half of each', () => {
    expect(redisOf({ ...ofVercel, ...ofUpstash })).toEqual(Object.values(ofUpstash))
    expect(redisOf(ofVercel)).toEqual(Object.values(ofVercel))
    const [url] = Object.values(ofUpstash)
    expect(redisOf({ ...ofVercel, UPSTASH_REDIS_REST_URL: url ?? '' })).toEqual([url, undefined])
  })

  it.each(Object.entries({ ...ofUpstash, ...ofVercel }).map(([name, value]) => [name, value] as const))(
    'is warned of where only %s is set',
    (name, value) => {
      const redis = (source: Record<string, string>) =>
        configurationWarnings(readEnv(source)).filter(warning => warning.startsWith('UPSTASH_REDIS_REST_'))

      expect(redis({ [name]: value })).toHaveLength(1)
      expect(redis({ [name]: value }).join()).not.toContain(value)
      expect(redis(ofUpstash)).toEqual([])
    },
  )

  it.each([
    ['UPSTASH_REDIS_REST_URL', 'http://redis.example.com'],
    ['UPSTASH_REDIS_REST_URL', 'http://localhost@redis.example.com'],
    ['UPSTASH_REDIS_REST_URL', 'https://user:password@redis.example.com'],
    ['UPSTASH_REDIS_REST_URL', 'redis://redis.example.com'],
    ['KV_REST_API_URL', 'name.upstash.io'],
    ['UPSTASH_REDIS_REST_TOKEN', 'two\nlines'],
    ['RATE_LIMIT_TIMEOUT_MS', '49'],
  ])('is not %s=%j', (name, value) => {
    expect(namesOf(problemsOf({ [name]: value }))).toEqual([name])
  })

  it('may be an emulator on this machine', () => {
    expect(problemsOf({ UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:8079' })).toEqual([])
  })
})
