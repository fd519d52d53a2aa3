/** Which functions may hold a package and what comes along with it. */
export interface PackageRule {
  packages: readonly string[]
  functions: RegExp
  /** Who they are, as the end of the sentence "holds stripe, which is for …". */
  for: string
  /** What they add to the budget of a function that may hold them. */
  bytes: number
  /** Whether a cold start loads them; the others wait until they are used. */
  atImport: boolean
}

// The erasure and the export of accounts, maintenance and health reach the whole of the domain.
const WHOLE_DOMAIN = String.raw`cron/maintain\.|health\.|user/(export|index)\.`

/** What a function may hold of node_modules: a package that is not in here is in no function. */
export const PACKAGE_RULES: readonly PackageRule[] = [
  {
    packages: [
      ...['mongodb', 'bson', 'mongodb-connection-string-url', '@mongodb-js/saslprep', 'sparse-bitfield'],
      ...['memory-pager', 'whatwg-url', 'tr46', 'punycode', 'webidl-conversions'],
      ...['zod', 'jose', '@vercel/functions'],
    ],
    functions: /^/,
    for: 'every function',
    // All functions hold these, so that they are part of what any function may take.
    bytes: 0,
    atImport: true,
  },
  {
    packages: ['@upstash/ratelimit', '@upstash/redis', '@upstash/core-analytics', 'uncrypto'],
    functions: /^/,
    for: 'every function',
    bytes: 0,
    atImport: false,
  },
  {
    packages: ['libphonenumber-js'],
    functions: only(
      String.raw`calls/|chat-sessions/|conversations/|leads/index\.|phone-numbers/|widget-config/\[projectId\]\.`,
      String.raw`user/(assign-phone\.|conversations/)`,
      WHOLE_DOMAIN,
    ),
    for: 'what reads phone numbers',
    bytes: 1_100_000,
    atImport: true,
  },
  {
    packages: ['bcryptjs'],
    functions: only(String.raw`auth/(?!me\.)|users/(auth|logout)\.|admin/users/`, WHOLE_DOMAIN),
    for: 'accounts with passwords',
    bytes: 150_000,
    atImport: false,
  },
  {
    packages: ['nodemailer'],
    functions: only(String.raw`auth/(?!me\.)|users/(auth|logout)\.|conversations/`, WHOLE_DOMAIN),
    for: 'what sends mail: accounts, and calls that use up a plan',
    bytes: 1_700_000,
    atImport: false,
  },
  {
    // In each of its two module formats.
    packages: ['stripe'],
    functions: only('billing/', WHOLE_DOMAIN),
    for: 'billing',
    bytes: 2_500_000,
    atImport: false,
  },
  {
    packages: [
      ...['ai', '@ai-sdk/openai', '@ai-sdk/gateway', '@ai-sdk/provider', '@ai-sdk/provider-utils'],
      ...['@vercel/oidc', 'undici', '@opentelemetry/api', 'eventsource-parser'],
    ],
    functions: only(String.raw`chat\.`),
    for: 'the chat',
    bytes: 4_000_000,
    atImport: false,
  },
]

/** The single function holds what any route does. */
function only(...routes: string[]): RegExp {
  return new RegExp(`^(api/(${routes.join('|')})|lib/single/)`)
}

/** The package that a file belongs to, by its path or URL; undefined for our own. */
export function packageOf(path: string): string | undefined {
  return /.*(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]
}
