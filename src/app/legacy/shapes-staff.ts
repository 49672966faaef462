/** How the older panels of administration and support name things. Pure renamings. */

type Json = Record<string, unknown>;

const object = (value: unknown): Json => (typeof value === "object" && value !== null ? (value as Json) : {});
const list = (value: unknown): Json[] => (Array.isArray(value) ? value.map(object) : []);
/** Without the members that were not given. */
const given = (value: Json): Json =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined));

/** What an older panel calls the members of a person that staff may change. All others go on as they are, and are refused there. */
const renamed: Readonly<Record<string, string>> = {
  user_type: "userType",
  subscription_plan: "plan",
  access_rtype: "promptStyles",
  level: "promptLevel",
  additional_notes: "notes",
  about_me: "aboutMe",
  is_active: "isActive",
  is_verified: "isVerified",
};

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null;
const differ = (one: unknown, other: unknown) => (one ?? other) !== (other ?? one);

/**
 * The older panel has two pairs of numbers for what is one balance here: `credits.main` and `limits.conversation_limit` are what may be used
 * now, both `reset` what each day brings. What cannot be understood goes on under its name, and is refused there.
 */
function creditsChange({ credits, limits }: Json): Json {
  const { main, reset: creditsReset, ...others } = isObject(credits) ? credits : { main: credits };
  const { conversation_limit: talks, reset, ...overrides } = object(limits);
  const perDay = given({ creditsPerDay: reset === undefined ? creditsReset : reset });
  const changed = { ...overrides, ...perDay };
  return given({
    creditsLeft: main ?? talks ?? undefined,
    limits: isObject(limits) || "creditsPerDay" in perDay ? changed : limits,
    credits: Object.keys(others).length > 0 ? others : undefined,
    "credits (differ from limits)": differ(main, talks) || differ(reset, creditsReset) ? true : undefined,
  });
}

function personChange({ credits, limits, ...rest }: Json): Json {
  const named = Object.fromEntries(Object.entries(rest).map(([name, value]) => [renamed[name] ?? name, value]));
  return { ...named, ...creditsChange({ credits, limits }) };
}

function newMember(body: Json): Json {
  const { username, name, email, password } = body;
  return given({ username, name, email, password });
}

const signIn = (requiredRole: "admin" | "support") => (body: Json) => {
  const { username, email, password, totp_code, recovery_code, ticket } = body;
  const members = { email: email ?? username, password, totp_code, recovery_code, ticket };
  return given({ ...members, sessionKind: "session-token", requiredRole });
};

export const staffBodies = {
  adminSignIn: signIn("admin"),
  supportSignIn: signIn("support"),
  personChange,
  newAdmin: (body: Json): Json => ({
    ...newMember(body),
    role: body["is_super_admin"] === true ? "superadmin" : "admin",
  }),
  newSupport: (body: Json): Json =>
    given({ ...newMember(body), level: body["level"] ?? body["staff_level"] ?? body["support_level"] }),
  planName: (body: Json): Json => ({ plan: body["plan"] ?? body["plan_name"] ?? body["subscription_plan"] }),
  /** A number, or an object: what the person may use from now on. Sent twice, it says the same. */
  credits: (body: Json): Json => creditsChange({ credits: body["credits"] }),
  promptText: (body: Json): Json => ({ prompt: body["prompt"] }),
} as const;

function olderPerson(person: Json): Json {
  const { limits, creditsPerDay: reset, creditsLeft: left } = person;
  return {
    ...person,
    user_id: person["id"],
    user_type: person["userType"],
    subscription_plan: person["plan"],
    credits: reset === undefined ? undefined : { main: left, reset },
    limits: limits === undefined ? undefined : { ...object(limits), conversation_limit: left, reset },
    access_rtype: person["promptStyles"],
    level: person["promptLevel"],
    additional_notes: person["notes"],
    about_me: person["aboutMe"],
    is_active: person["isActive"],
    is_verified: person["isVerified"],
    time_created: person["createdAt"],
    created_at: person["createdAt"],
    last_login: person["lastLoginAt"],
  };
}

function olderMember(member: Json): Json {
  return {
    ...member,
    admin_id: member["id"],
    staff_id: member["id"],
    staff_level: member["level"],
    is_super_admin: member["role"] === "superadmin",
    is_active: member["isActive"],
  };
}

const older = (member: string, rename: (item: Json) => Json) => (value: Json) => ({
  success: true,
  [member]: list(value["items"]).map(rename),
  nextCursor: value["nextCursor"],
});

function people(value: Json): Json {
  return {
    success: true,
    users: list(value["items"]).map(olderPerson),
    total: value["total"],
    page: value["page"],
    page_size: value["pageSize"],
    pagination: {
      page: value["page"],
      page_size: value["pageSize"],
      total: value["total"],
      total_pages: Math.ceil(Number(value["total"]) / Number(value["pageSize"])),
    },
  };
}

export const staffAnswers = {
  people,
  /** Published under its old path: both ways to read it. */
  helpedPeople: (value: Json): Json => ({ ...value, ...people(value) }),
  barePeople: (value: Json): unknown => list(value["items"]).map(olderPerson),
  person: (value: Json): Json => ({ success: true, user: olderPerson(value), ...olderPerson(value) }),
  staffMember: (value: Json): Json => ({ success: true, ...olderMember(value), admin: olderMember(value) }),
  staffSession: (value: Json): Json => {
    const { session_token, refresh_token, expires_at, refresh_expires_at, user } = value;
    return {
      success: true,
      message: "Signed in.",
      session: { session_token, refresh_token, expires_at, refresh_expires_at },
      session_token,
      refresh_token,
      expires_at,
      user: { ...object(user), is_super_admin: object(user)["role"] === "superadmin" },
    };
  },
  statistics: (value: Json): Json => ({ success: true, ...object(value["data"]), data: value["data"] }),
  adminStats: (value: Json): Json => ({
    ...value,
    success: true,
    data: { ...object(value["conversions"]), ...value, ...object(value["data"]), data: undefined },
  }),
  securityLogs: older("logs", (entry) => ({
    ...entry,
    event_type: entry["eventType"],
    user_id: entry["target"],
    ip_address: entry["address"],
    timestamp: entry["createdAt"],
  })),
  messageLogs: older("logs", (entry) => ({
    ...entry,
    r_type: entry["rType"],
    research_enabled: entry["researchEnabled"],
    tokens_used: entry["tokensUsed"],
    processing_time_ms: entry["processingTimeMs"],
    ip_address: entry["address"],
    timestamp: entry["at"],
  })),
  systemLogs: older("logs", (entry) => ({ ...entry, metadata: entry["details"], timestamp: entry["at"] })),
  systemPrompt: (value: Json): Json => ({ success: true, r_type: value["rType"], prompt: value["prompt"], ...value }),
  revokedKeys: (value: Json): Json => ({ success: true, ...value, api_key: null }),
} as const;
