/**
 * `__Host-`: a browser takes it only over HTTPS, for this host alone and for all its paths (RFC 6265bis). That is
 * why the refresh token has no path of its own: a page of a sibling host could plant a cookie that had one, and with
 * it a session of its own choosing.
 */
export const ACCESS_COOKIE = '__Host-leadline'
export const REFRESH_COOKIE = '__Host-leadline-refresh'

/** What a session consists of for its client: two tokens, and the seconds until each ends. */
export interface SessionTokens {
  token: string
  expiresIn: number
  refreshToken: string
  refreshExpiresIn: number
}

/** The cookies of a browser session: out of reach of scripts, and of other sites. */
export function sessionCookies({
  token,
  expiresIn,
  refreshToken,
  refreshExpiresIn,
}: SessionTokens): string[] {
  return [cookie(ACCESS_COOKIE, token, expiresIn), cookie(REFRESH_COOKIE, refreshToken, refreshExpiresIn)]
}

/** What takes them away again. */
export function clearedCookies(): string[] {
  return [cookie(ACCESS_COOKIE, '', 0), cookie(REFRESH_COOKIE, '', 0)]
}

/** The value of a cookie of the request. */
export function readCookie(request: Request, name: string): string | undefined {
  const pairs = (request.headers.get('cookie') ?? '').split(/;\s*/)
  return pairs.find(pair => pair.startsWith(`${name}=`))?.slice(name.length + 1) || undefined
}

function cookie(name: string, value: string, maxAgeSeconds: number): string {
  return `${name}=${value}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; Secure; SameSite=Strict`
}
