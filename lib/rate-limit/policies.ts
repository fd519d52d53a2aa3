/** A rate limit: so many in a fixed window, counted for what the policy is keyed on. */
export interface Policy {
  limit: number
  windowSeconds: number
  /**
   * What is counted together: `address` is the client address as the platform saw it (an IPv6 network counts as
   * one), never a header that a client can set; `caller` is who authenticated: an API key, an account, or the
   * deployment's own secret, each counted by itself wherever it comes from.
   */
  per: 'address' | 'caller'
  /** What happens while no store can count: `open` lets the request pass, `closed` refuses it. */
  whenUnavailable: 'open' | 'closed'
}

/**
 * Every rate limit of the API, by name. What an e-mail address or a project may use up is counted by the rule that it
 * belongs to, since the answer is another one than a 429: `account-mails` and `login-throttle` by e-mail address, the
 * budget of chat answers by project. Many visitors share one address behind carrier-grade NAT, and a widget
 * sends each event twice: what widgets call is sized for an office, not for one person.
 */
export const policies = {
  /** Leads and chats from visitors: losing one costs a customer, so it stays open. */
  capture: { limit: 60, windowSeconds: 60, per: 'address', whenUnavailable: 'open' },
  /** Widget events, each of a batch by itself. */
  events: { limit: 600, windowSeconds: 60, per: 'address', whenUnavailable: 'open' },
  /** Widget configuration: mostly answered by the shared cache in front of us. */
  config: { limit: 600, windowSeconds: 60, per: 'address', whenUnavailable: 'open' },
  /** Changes of it, and what old widgets without a key suggest. */
  'config-write': { limit: 60, windowSeconds: 60, per: 'caller', whenUnavailable: 'closed' },
  /** Questions of visitors. What a model may answer is bounded by the day as well (`chat-budget`). */
  chat: { limit: 60, windowSeconds: 60, per: 'address', whenUnavailable: 'open' },
  /** Probes of uptime monitors. */
  health: { limit: 120, windowSeconds: 60, per: 'address', whenUnavailable: 'open' },
  /** Lists and single documents, for authenticated callers. */
  read: { limit: 300, windowSeconds: 60, per: 'caller', whenUnavailable: 'closed' },
  /** Whole files: each may read everything that its caller has. */
  export: { limit: 10, windowSeconds: 60, per: 'caller', whenUnavailable: 'closed' },
  /** Posts of the voice agent's server: the turns of every call that goes on. */
  calls: { limit: 6_000, windowSeconds: 60, per: 'caller', whenUnavailable: 'closed' },
  /** What authenticated callers change. */
  write: { limit: 120, windowSeconds: 60, per: 'caller', whenUnavailable: 'closed' },
  /** Calls before they are answered: one key admits for every account that its telephony serves. */
  admission: { limit: 1_200, windowSeconds: 60, per: 'caller', whenUnavailable: 'closed' },
  /** New accounts. Tells whether an address is taken, so it is limited hard. */
  register: { limit: 20, windowSeconds: 3_600, per: 'address', whenUnavailable: 'closed' },
  /** Tries at a password, right or wrong; wrong ones are slowed down by account as well (`login-throttle`). */
  login: { limit: 60, windowSeconds: 60, per: 'address', whenUnavailable: 'closed' },
  /** Refreshed sessions and used one-time tokens. */
  'account-token': { limit: 60, windowSeconds: 60, per: 'address', whenUnavailable: 'closed' },
  /** Requests for a mail; what one address is sent is limited as well (`account-mails`). */
  'account-mail': { limit: 20, windowSeconds: 3_600, per: 'address', whenUnavailable: 'closed' },
  /** Checkouts and portals: each asks Stripe several times. */
  billing: { limit: 20, windowSeconds: 60, per: 'caller', whenUnavailable: 'closed' },
  /** Stripe's webhooks, from few addresses and many at once when a month begins. Their signature lets them in. */
  'billing-webhook': { limit: 3_000, windowSeconds: 60, per: 'address', whenUnavailable: 'open' },
  /** Maintenance, called by the platform's cron and by operators. */
  maintenance: { limit: 10, windowSeconds: 60, per: 'caller', whenUnavailable: 'closed' },
  /**
   * Requests refused for missing or wrong credentials: clients that go on failing are told to wait. Counted only after
   * credentials are compared, it locks out nobody who has the right ones, and does not bound guessing.
   */
  'authentication-failure': {
    limit: 30,
    windowSeconds: 60,
    per: 'address',
    whenUnavailable: 'closed',
  },
} as const satisfies Record<string, Policy>

export type PolicyName = keyof typeof policies
